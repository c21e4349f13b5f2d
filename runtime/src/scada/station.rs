//! What answers requests: the register map over one snapshot, and the writers before the command queue.
//!
//! Snapshots are taken when the first read of a turn needs one, and kept for the turn.

use super::frame::Frame;
use super::guard::{self, Refusal, Registers, Reply};
use super::map::{MapError, RegisterMap};
use super::ports::{Commands, Published};
use super::settings::{Settings, SettingsError};
use super::writers::{Checked, Writers};
use crate::scan::snapshot::{Layout, View};
use std::net::IpAddr;
use std::sync::Arc;

/// A site and settings that do not fit the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StationError {
    /// The site is too large for the register map.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The settings are impossible.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

/// Answers requests, one at a time.
#[derive(Debug)]
pub struct Station<P, C> {
    map: RegisterMap,
    units: [bool; 256],
    writers: Writers,
    published: P,
    commands: C,
    words: Vec<u64>,
    /// Whether `words` hold a snapshot of this turn.
    taken: bool,
}

impl<P: Published, C: Commands> Station<P, C> {
    /// For a site and its settings; see [`Ports`](super::Ports) for the rest. Everything that answers need is allocated here.
    ///
    /// # Errors
    /// The site or the settings are impossible.
    pub fn new(
        layout: Arc<Layout>,
        settings: &Settings,
        published: P,
        commands: C,
        first_source: u16,
    ) -> Result<Self, StationError> {
        let map = RegisterMap::new(layout, &settings.writers)?;
        settings.check(map.commands())?;
        let mut units = [false; 256];
        settings.units.iter().chain(&[0, 255]).for_each(|unit| units[usize::from(*unit)] = true);
        Ok(Self {
            units,
            writers: Writers::new(&settings.writers, map.commands(), first_source),
            published,
            commands,
            words: vec![0; map.layout().words()],
            taken: false,
            map,
        })
    }

    /// The register map.
    #[must_use]
    pub fn map(&self) -> &RegisterMap {
        &self.map
    }

    /// A new turn begins: the next read takes a new snapshot.
    pub fn turn(&mut self) {
        self.taken = false;
    }

    /// Answers one request of a peer. `false`: the unit is not ours, so there is no answer.
    pub fn serve(&mut self, frame: Frame<'_>, peer: IpAddr, now_ns: u64, reply: &mut Reply) -> bool {
        reply.clear();
        if !self.units[usize::from(frame.unit())] {
            return false;
        }
        let writer = self.writers.at(peer);
        guard::answer(frame, &mut Request { station: self, writer, now_ns }, reply);
        true
    }

    /// The register map and the snapshot of this turn, with the heartbeats.
    fn snapshot(&mut self) -> Result<(&RegisterMap, View<'_>, &[u16]), Refusal> {
        if !self.taken {
            self.taken = self.published.read(&mut self.words).is_some();
        }
        if !self.taken {
            return Err(Refusal::Busy);
        }
        let view = View::new(self.map.layout(), &self.words).ok_or(Refusal::Failure)?;
        Ok((&self.map, view, self.writers.heartbeats()))
    }
}

/// One request of one peer.
struct Request<'a, P, C> {
    station: &'a mut Station<P, C>,
    writer: Option<usize>,
    now_ns: u64,
}

impl<P: Published, C: Commands> Request<'_, P, C> {
    /// The writer, if it still has writes left in this second.
    fn admitted(&mut self) -> Result<usize, Refusal> {
        let writer = self.writer.ok_or(Refusal::Function)?;
        self.station.writers.admit(writer, self.now_ns)?;
        Ok(writer)
    }
}

impl<P: Published, C: Commands> Registers for Request<'_, P, C> {
    fn may_write(&self) -> bool {
        self.writer.is_some()
    }

    fn read_words(&mut self, address: u16, out: &mut [u8]) -> Result<(), Refusal> {
        let (map, view, heartbeats) = self.station.snapshot()?;
        let mut next = Some(address);
        for bytes in out.chunks_exact_mut(2) {
            let at = next.ok_or(Refusal::Address)?;
            let word = map.word(&view, heartbeats, at).ok_or(Refusal::Address)?;
            bytes.copy_from_slice(&word.to_be_bytes());
            next = at.checked_add(1);
        }
        Ok(())
    }

    fn read_bits(&mut self, address: u16, count: u16, out: &mut [u8]) -> Result<(), Refusal> {
        let (map, view, _) = self.station.snapshot()?;
        for i in 0..count {
            let at = address.checked_add(i).ok_or(Refusal::Address)?;
            let bit = map.bit(&view, at).ok_or(Refusal::Address)?;
            out[usize::from(i / 8)] |= u8::from(bit) << (i % 8);
        }
        Ok(())
    }

    fn write_words(&mut self, address: u16, data: &[u8]) -> Result<(), Refusal> {
        let writer = self.admitted()?;
        let Station { map, writers, commands, .. } = &mut *self.station;
        let Checked { commands: asked, heartbeat } = writers.check_words(map, writer, address, data)?;
        if !asked.is_empty() {
            commands.send(asked).map_err(|_| Refusal::Busy)?;
        }
        if let Some(heartbeat) = heartbeat {
            writers.remember(writer, heartbeat);
        }
        Ok(())
    }

    fn write_bits(&mut self, address: u16, count: u16, data: &[u8]) -> Result<(), Refusal> {
        let writer = self.admitted()?;
        let Station { map, writers, commands, .. } = &mut *self.station;
        let asked = writers.check_bits(map, writer, address, count, data)?.commands;
        commands.send(asked).map_err(|_| Refusal::Busy)
    }
}
