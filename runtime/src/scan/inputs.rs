//! What enters one scan. Whatever could differ between two runs is in here, so that a recording of inputs is a recording
//! of the site.

use super::command::Command;
use flyball_io_map::image::Reading;

/// At most so many commands are taken in one scan; what is left waits in its queue for the next.
pub const COMMANDS_PER_SCAN: usize = 64;

/// The inputs of one scan. Made once, refilled for every scan.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The newest raw readings of all device and system points, in the order of the image.
    pub latched: Box<[Reading]>,
    /// Per pulse output: the highest id that its device has executed.
    pub pulses_done: Box<[u64]>,
    /// Commands since the last scan, oldest first.
    pub commands: heapless::Vec<Command, COMMANDS_PER_SCAN>,
    /// Somebody asked the controller to stop.
    pub stop: bool,
}

impl Inputs {
    /// Room for so many latched points and pulse outputs; nothing was ever read.
    #[must_use]
    pub fn new(latched: usize, pulses: usize) -> Self {
        let latched = vec![Reading::NEVER; latched].into_boxed_slice();
        let pulses_done = vec![0; pulses].into_boxed_slice();
        Self { latched, pulses_done, commands: heapless::Vec::new(), stop: false }
    }
}
