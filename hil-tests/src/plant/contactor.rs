//! The DC contactor between battery and inverter. It takes its time, it reports what its contacts do, and it remembers
//! every time it was opened under load.

/// What the contactor is made of.
#[derive(Clone, Debug)]
pub struct ContactorParams {
    /// From coil to closed contacts, s.
    pub close_s: f64,
    /// From no coil to open contacts, s.
    pub open_s: f64,
    /// Opening above this current is wear, A.
    pub wear_a: f64,
}

impl Default for ContactorParams {
    fn default() -> Self {
        Self { close_s: 0.06, open_s: 0.02, wear_a: 5.0 }
    }
}

/// What can be wrong with a contactor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContactorFault {
    /// The contacts stay closed whatever the coil does.
    Welded,
    /// The contacts stay open whatever the coil does.
    StuckOpen,
}

/// The contactor.
#[derive(Clone, Debug)]
pub struct Contactor {
    params: ContactorParams,
    closed: bool,
    moving_s: f64,
    fault: Option<ContactorFault>,
    operations: u32,
    wear: u32,
}

impl Contactor {
    pub(crate) fn new(params: ContactorParams) -> Self {
        Self { params, closed: false, moving_s: 0.0, fault: None, operations: 0, wear: 0 }
    }

    /// One step with the coil on or off, while `current_a` flows.
    pub(crate) fn step(&mut self, dt_s: f64, coil: bool, current_a: f64) {
        let wanted = match self.fault {
            Some(ContactorFault::Welded) => self.closed,
            Some(ContactorFault::StuckOpen) => false,
            None => coil,
        };
        if wanted == self.closed {
            self.moving_s = 0.0;
            return;
        }
        self.moving_s += dt_s;
        let needed_s = if wanted { self.params.close_s } else { self.params.open_s };
        if self.moving_s >= needed_s - 1e-9 {
            self.closed = wanted;
            self.moving_s = 0.0;
            self.operations += 1;
            if !wanted && current_a.abs() > self.params.wear_a {
                self.wear += 1;
            }
        }
    }

    /// Makes it defect, or whole again with `None`.
    pub fn set_fault(&mut self, fault: Option<ContactorFault>) {
        self.fault = fault;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Closings and openings since the start.
    pub(crate) fn operations(&self) -> u32 {
        self.operations
    }

    /// Openings under load since the start.
    pub(crate) fn wear(&self) -> u32 {
        self.wear
    }
}
