//! Who decides: external set-points and values that are simply held.

pub mod external_setpoint;
pub mod hold;
