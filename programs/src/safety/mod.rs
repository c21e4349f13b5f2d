//! What stops the site. Not a safety function in the sense of a standard: the emergency stop is wired.

pub mod emergency_stop;
pub mod permit;
