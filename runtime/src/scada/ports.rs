//! What the server needs from the rest of the machine: snapshots in, commands out, and the time.

use crate::exchange::queue::Sender;
use crate::exchange::snapshot::SnapshotReader;
use crate::scan::command::Command;

/// Where snapshots come from.
pub trait Published: Send {
    /// Copies the newest snapshot into `words`, all of it from one scan, and gives its number. `None`: nothing has been
    /// published yet, or it was being overwritten meanwhile; `words` then holds nothing of use.
    fn read(&mut self, words: &mut [u64]) -> Option<u64>;
}

impl Published for SnapshotReader {
    fn read(&mut self, words: &mut [u64]) -> Option<u64> {
        SnapshotReader::read(self, words)
    }
}

/// Where commands go. Never waits.
pub trait Commands: Send {
    /// Takes all of these, in this order and with nothing in between, or none.
    ///
    /// # Errors
    /// There is not room for all of them; none was taken.
    fn send(&mut self, commands: &[Command]) -> Result<(), Full>;
}

impl Commands for Sender<Command> {
    fn send(&mut self, commands: &[Command]) -> Result<(), Full> {
        self.send_all(commands).map_err(|_| Full)
    }
}

/// The command queue has not room enough. The scan empties it; the writer may try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the command queue is full: the scan has not taken earlier commands yet, write again later")]
pub struct Full;

/// All that connects a server to its site.
#[derive(Debug)]
pub struct Ports<P, C, K> {
    /// Snapshots.
    pub published: P,
    /// The queue of commands; this server is its only producer.
    pub commands: C,
    /// The time, for deadlines and rates. A [`crate::clock::Clock`].
    pub clock: K,
    /// The source number of the first writer in its commands; the others follow in their order. The network side gives
    /// each of its servers numbers of its own.
    pub first_source: u16,
}
