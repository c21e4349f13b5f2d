//! The site of the demonstration: a cabin with a meter, a storage inverter and a control panel over one plant.

use crate::device::Device;
use crate::device::em540::Em540;
use crate::device::panel::IoPanel;
use crate::device::sunspec::{SunSpecSettings, SunSpecStorage};
use crate::fault::Fault;
use crate::plant::truth::Truth;
use crate::plant::{Plant, PlantParams};
use crate::world::{Port, World};

/// How the cabin is set up.
#[derive(Clone, Debug, Default)]
pub struct CabinParams {
    /// The physics.
    pub plant: PlantParams,
    /// The inverter's map.
    pub pcs: SunSpecSettings,
}

/// The cabin. All three devices have unit id 1, each on a line of its own.
#[derive(Clone, Debug)]
pub struct CabinWorld {
    world: World,
    meter: Port,
    pcs: Port,
    panel: Port,
}

impl CabinWorld {
    /// The default cabin with this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with(CabinParams { plant: PlantParams { seed, ..PlantParams::default() }, ..CabinParams::default() })
    }

    /// A cabin with parameters of its own.
    #[must_use]
    pub fn with(params: CabinParams) -> Self {
        let plant = Plant::new(params.plant);
        let pcs: Box<dyn Device> = Box::new(SunSpecStorage::new(params.pcs, &plant));
        let world = World::new(plant, vec![Box::new(Em540::new(1)), pcs, Box::new(IoPanel::new(1))]);
        let port = |index| world.device(index).expect("the world was made with three devices just now");
        Self { meter: port(0), pcs: port(1), panel: port(2), world }
    }

    /// The world itself: stepping, truth, real time.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The EM540 at the connection point.
    #[must_use]
    pub fn meter(&self) -> &Port {
        &self.meter
    }

    /// The SunSpec storage inverter.
    #[must_use]
    pub fn pcs(&self) -> &Port {
        &self.pcs
    }

    /// The I/O module of the panel.
    #[must_use]
    pub fn panel(&self) -> &Port {
        &self.panel
    }

    /// Advances the site by `dt_s` seconds.
    pub fn step(&self, dt_s: f64) {
        self.world.step(dt_s);
    }

    /// What is really so now.
    #[must_use]
    pub fn truth(&self) -> Truth {
        self.world.truth()
    }

    /// Pushes the E-stop in.
    pub fn press_estop(&self) {
        self.world.with_plant(|plant| plant.panel.set_estop_healthy(false));
    }

    /// Turns the E-stop out again.
    pub fn release_estop(&self) {
        self.world.with_plant(|plant| plant.panel.set_estop_healthy(true));
    }

    /// Presses the reset button.
    pub fn press_reset(&self) {
        self.world.with_plant(|plant| plant.panel.set_reset_pressed(true));
    }

    /// Lets the reset button go.
    pub fn release_reset(&self) {
        self.world.with_plant(|plant| plant.panel.set_reset_pressed(false));
    }

    /// Holds the load at so much, W, or lets it live its own life with `None`.
    pub fn set_load_w(&self, power_w: Option<f64>) {
        self.world.with_plant(|plant| match power_w {
            Some(power_w) => plant.load.hold_w(power_w),
            None => plant.load.release(),
        });
    }

    /// Holds PV at so much, W, or gives it back to sun and clouds with `None`.
    pub fn set_pv_w(&self, power_w: Option<f64>) {
        self.world.with_plant(|plant| match power_w {
            Some(power_w) => plant.pv.hold_w(power_w),
            None => plant.pv.release(),
        });
    }

    /// Moves the grid's frequency by so much, Hz.
    pub fn set_frequency_offset_hz(&self, offset_hz: f64) {
        self.world.with_plant(|plant| plant.grid.set_offset_hz(offset_hz));
    }

    /// Puts the battery's state of charge somewhere, 0..1.
    pub fn set_soc(&self, soc: f64) {
        self.world.with_plant(|plant| plant.battery.set_soc(soc));
    }

    /// Cuts the meter's line: requests are lost, the connection stays.
    pub fn cut_meter(&self) {
        self.meter.faults().set(Fault::Silent);
    }

    /// Mends the meter's line.
    pub fn mend_meter(&self) {
        self.meter.faults().clear(Fault::Silent);
    }
}
