//! What a site file means: a [`Site`], made by the check alone, with nothing left open.

use crate::check::{self, Beside};
use crate::file::{Arm, Realtime};
use crate::programs::ProgramFile;
use crate::report::Report;
use crate::system::SystemPoints;
use crate::timing::Timing;
use flyball_io_map::document::Spanned;
use flyball_io_map::image::PointDef;
use flyball_io_map::image::wiring::{OutputDef, Wired};
use flyball_io_map::profile::Profile;
use flyball_programs::Run;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;

/// So many skipped slots among the last so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skips {
    /// How many were skipped, 1 to `of`.
    pub skipped: u16,
    /// Of how many slots, at most [`Skips::OF_MAX`].
    pub of: u16,
}

impl Skips {
    /// The longest stretch of slots that is looked back upon.
    pub const OF_MAX: u16 = 1_024;
}

/// What happens when scans come too late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overrun {
    /// From here on an alarm is raised and `shed` does not run.
    pub degrade: Skips,
    /// From here on the site trips.
    pub trip: Skips,
    /// Programs that do not run while degraded, as indices of the site's programs.
    pub shed: Vec<usize>,
}

/// The scan's own settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanSettings {
    /// Period of the grid, ms, 1 to 1000.
    pub period_ms: u32,
    /// The contract about late scans.
    pub overrun: Overrun,
    /// Whether the site may run without real-time rights.
    pub realtime: Realtime,
    /// SCHED_FIFO priority, 1 to 98.
    pub priority: u8,
    /// CPUs that the scan thread keeps to; empty: any.
    pub cpus: Vec<u16>,
}

/// A command point and its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandDef {
    /// Its place in the image; name, kind, unit and range are the point's.
    pub point: usize,
    /// How long one command stands, ms.
    pub lease_ms: u32,
    /// Of two sources the higher priority goes first.
    pub priority: u8,
}

/// Who may write what through the Modbus server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// The peer's address.
    pub peer: IpAddr,
    /// What it may write, as indices of the site's commands.
    pub commands: Vec<usize>,
    /// Whether it renews its leases by a heartbeat register.
    pub heartbeat: bool,
    /// Writes per second that are accepted, 1 to 1000.
    pub writes_per_s: u16,
}

/// The Modbus server for SCADA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModbusServer {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Unit ids it answers to; at least one.
    pub units: Vec<u8>,
    /// Peers that may read, besides the writers, and the machine itself where `listen` is a loopback address.
    pub readers: Vec<IpAddr>,
    /// Peers that may write; empty: nobody.
    pub writers: Vec<Writer>,
}

/// Telemetry over MQTT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mqtt {
    /// The broker's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What all topics begin with.
    pub topic: String,
    /// How often points are published, ms.
    pub every_ms: u32,
    /// How many messages are kept while the broker is away; the oldest go first.
    pub offline_messages_max: u32,
}

/// A device of the site.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// What it is.
    pub profile: Arc<Profile>,
    /// Where it is reached.
    pub address: SocketAddr,
    /// Its unit id.
    pub unit: u8,
    /// How often it is polled, ms; each point by the class that its profile says.
    pub poll_ms: u32,
    /// The longest it takes to answer while it is healthy, ms.
    pub answer_ms: u32,
    /// Time-out of its own watchdog, ms; `None` if it has none, or needs none.
    pub watchdog_ms: Option<u32>,
    /// Its part of the image: the points of its profile, and `online` as the last.
    pub points: Range<usize>,
    /// Its outputs, in the order of the site. Writables that are not listed are never written.
    pub outputs: Vec<DeviceOutput>,
}

impl Device {
    /// The place of its `online` in the image.
    #[must_use]
    pub fn online(&self) -> usize {
        self.points.end - 1
    }

    /// The place in the image of the point that shows that it lives, and the longest that it may rest, ms.
    #[must_use]
    pub fn life(&self) -> Option<(usize, u32)> {
        self.profile.life.map(|life| (self.points.start + life.point, life.within_ms))
    }
}

/// An output of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceOutput {
    /// The output, as an index of the site's definitions.
    pub output: usize,
    /// What it is on the device, as an index of the profile's writables.
    pub writable: usize,
}

/// Devices that share one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where they are reached.
    pub address: SocketAddr,
    /// The devices, as indices of the site's.
    pub devices: Vec<usize>,
}

/// A program and its settings.
#[derive(Debug)]
pub(crate) struct NamedProgram {
    pub(crate) name: String,
    pub(crate) file: Spanned<ProgramFile>,
}

/// A checked site: everything that is needed to run, simulate or replay it, and nothing left open.
#[derive(Debug)]
pub struct Site {
    pub(crate) name: String,
    pub(crate) scan: ScanSettings,
    pub(crate) arm: Arm,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) devices: Vec<Device>,
    pub(crate) points: Vec<PointDef>,
    /// How many of the points do not come out of programs.
    pub(crate) latched: usize,
    pub(crate) system: SystemPoints,
    pub(crate) outputs: Vec<OutputDef>,
    pub(crate) commands: Vec<CommandDef>,
    pub(crate) programs: Vec<NamedProgram>,
    pub(crate) modbus_server: Option<ModbusServer>,
    pub(crate) mqtt: Option<Mqtt>,
    pub(crate) timing: Timing,
}

/// Outputs and programs of a site, fresh, as they are before the first scan.
pub struct Built {
    /// Points, outputs, and who may say what.
    pub wired: Wired,
    /// The programs in the order of the site, with their handles.
    pub programs: Vec<Box<dyn Run>>,
}

impl Site {
    /// Checks a site file. `file_name` is how it is called in the report, `beside` gives the text of profile files beside it.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place and, where one can be made, a proposal.
    pub fn check(file_name: &str, text: &str, beside: Beside<'_>) -> Result<Self, Report> {
        check::check(file_name, text, beside)
    }

    /// The programs with their handles, and the outputs they speak about. Each call gives new ones, independent of all others.
    #[must_use]
    pub fn build(&self) -> Built {
        let points = self.points[..self.latched].to_vec();
        let files = self.programs.iter().map(|p| Some(&p.file));
        let (programs, wired) = check::programs::wire(points, self.outputs.clone(), self.scan.period_ms, files);
        let wired = wired.expect("the check wired the same programs to the same site");
        Built { wired, programs: programs.into_iter().flatten().collect() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Period, overrun contract, real-time rights.
    #[must_use]
    pub fn scan(&self) -> &ScanSettings {
        &self.scan
    }

    /// How it arms.
    #[must_use]
    pub fn arm(&self) -> Arm {
        self.arm
    }

    /// Connections, in the order of their first devices.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Devices, in the order of the site.
    #[must_use]
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// The image: points of devices in their order, of the controller itself, commands, and what programs compute.
    #[must_use]
    pub fn points(&self) -> &[PointDef] {
        &self.points
    }

    /// The place of a point in the image.
    #[must_use]
    pub fn point(&self, name: &str) -> Option<usize> {
        self.points.iter().position(|p| p.name == name)
    }

    /// Places of the controller's own points.
    #[must_use]
    pub fn system(&self) -> &SystemPoints {
        &self.system
    }

    /// Outputs: totals of groups, then outputs of devices, both in the order of the site.
    #[must_use]
    pub fn outputs(&self) -> &[OutputDef] {
        &self.outputs
    }

    /// Commands in the order of their points: the built-in ones, then those of the site.
    #[must_use]
    pub fn commands(&self) -> &[CommandDef] {
        &self.commands
    }

    /// Names of the programs, in the order of the site.
    pub fn program_names(&self) -> impl Iterator<Item = &str> {
        self.programs.iter().map(|p| p.name.as_str())
    }

    /// The Modbus server; `None`: SCADA is not served.
    #[must_use]
    pub fn modbus_server(&self) -> Option<&ModbusServer> {
        self.modbus_server.as_ref()
    }

    /// Telemetry; `None`: nothing is published.
    #[must_use]
    pub fn mqtt(&self) -> Option<&Mqtt> {
        self.mqtt.as_ref()
    }

    /// How old points can be, and how fast outputs react.
    #[must_use]
    pub fn timing(&self) -> &Timing {
        &self.timing
    }
}
