//! What the site file says about the SCADA server, and what is impossible in it.

use flyball_config::{CommandDef, ModbusServer};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// Most connections that one server holds.
pub const CONNECTIONS_MAX: usize = 64;
/// The shortest idle time that may be set, ms.
pub const IDLE_MS_MIN: u32 = 1_000;
/// The idle time of a site's server, ms.
pub const IDLE_MS: u32 = 60_000;

/// What the site file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Unit ids that are answered besides 0 and 255.
    pub units: Vec<u8>,
    /// How many connections are held at once, 1 to [`CONNECTIONS_MAX`]. One of them is reserved for each writer.
    pub connections_max: usize,
    /// A connection without a request for so long is closed, ms, at least [`IDLE_MS_MIN`].
    pub idle_ms: u32,
    /// Who may read, besides the writers, and the machine itself if `listen` is a loopback address.
    pub readers: Vec<IpAddr>,
    /// Who may write. Empty: nobody.
    pub writers: Vec<Writer>,
}

/// A peer that may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// Its address; each writer has its own.
    pub peer: IpAddr,
    /// Its name in register lists and messages.
    pub name: String,
    /// What it may command.
    pub commands: Vec<Grant>,
    /// Write requests per second, at least 1; so many may come at once.
    pub writes_per_s: u32,
    /// Whether it has a heartbeat register, with which it renews its leases.
    pub heartbeat: bool,
}

/// One command point that a writer may command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its index among the site's command points.
    pub command: u16,
    /// The priority of the commands: a higher one takes over while a lease lasts.
    pub priority: u8,
}

/// Settings that no server can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No connection at all, or more than there are slots.
    #[error("{0} connections: a server holds 1 to {CONNECTIONS_MAX} at once, set `connections_max` accordingly")]
    Connections(usize),
    /// Shorter than a request may take.
    #[error("an idle time of {0} ms: it must be at least {IDLE_MS_MIN} ms, raise `idle_ms`")]
    Idle(u32),
    /// Not enough connections to reserve one for each writer.
    #[error(
        "{writers} writers share {connections} connections: each needs one of its own, raise `connections_max` or list fewer writers"
    )]
    TooManyWriters {
        /// Writers in the list.
        writers: usize,
        /// `connections_max`.
        connections: usize,
    },
    /// One peer, two entries.
    #[error(
        "the writers `{first}` and `{second}` are both at {peer}: merge them into one, a peer is told by its address"
    )]
    SamePeer {
        /// The address.
        peer: IpAddr,
        /// The earlier entry.
        first: String,
        /// The later entry.
        second: String,
    },
    /// A writer that may never write.
    #[error("the writer `{0}` has 0 writes per second: give it at least 1, or take it off the list")]
    NoWrites(String),
    /// A command point that the site does not have.
    #[error(
        "the writer `{writer}` is given command point {command}, but the site has {commands} of them, counted from 0"
    )]
    NoSuchCommand {
        /// The writer.
        writer: String,
        /// The index it was given.
        command: u16,
        /// Command points of the site.
        commands: usize,
    },
}

impl Settings {
    /// As a site file has it, with the site's commands. Writers go by their addresses.
    #[must_use]
    pub fn of_site(server: &ModbusServer, commands: &[CommandDef]) -> Self {
        let grant = |command: &usize| Grant {
            command: u16::try_from(*command).expect("the checker refuses images of 65 536 points and more"),
            priority: commands.get(*command).map_or(0, |def| def.priority),
        };
        let writers = server.writers.iter().map(|w| Writer {
            peer: w.peer,
            name: w.peer.to_string(),
            commands: w.commands.iter().map(grant).collect(),
            writes_per_s: u32::from(w.writes_per_s),
            heartbeat: w.heartbeat,
        });
        Self {
            listen: server.listen,
            units: server.units.clone(),
            connections_max: CONNECTIONS_MAX,
            idle_ms: IDLE_MS,
            readers: server.readers.clone(),
            writers: writers.collect(),
        }
    }

    /// Whether a server can run with this on a site with `commands` command points.
    ///
    /// # Errors
    /// The first thing that is impossible.
    pub fn check(&self, commands: usize) -> Result<(), SettingsError> {
        if !(1..=CONNECTIONS_MAX).contains(&self.connections_max) {
            return Err(SettingsError::Connections(self.connections_max));
        }
        if self.idle_ms < IDLE_MS_MIN {
            return Err(SettingsError::Idle(self.idle_ms));
        }
        if self.writers.len() > self.connections_max {
            return Err(SettingsError::TooManyWriters {
                writers: self.writers.len(),
                connections: self.connections_max,
            });
        }
        let mut peers: BTreeMap<IpAddr, &Writer> = BTreeMap::new();
        for writer in &self.writers {
            let name = || writer.name.clone();
            if let Some(first) = peers.insert(writer.peer.to_canonical(), writer) {
                return Err(SettingsError::SamePeer { peer: writer.peer, first: first.name.clone(), second: name() });
            }
            if writer.writes_per_s == 0 {
                return Err(SettingsError::NoWrites(name()));
            }
            if let Some(grant) = writer.commands.iter().find(|g| usize::from(g.command) >= commands) {
                return Err(SettingsError::NoSuchCommand { writer: name(), command: grant.command, commands });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let writer = |name: &str, peer: &str| Writer {
            peer: peer.parse().unwrap(),
            name: name.into(),
            commands: vec![Grant { command: 0, priority: 5 }, Grant { command: 1, priority: 5 }],
            writes_per_s: 10,
            heartbeat: true,
        };
        Settings {
            listen: "127.0.0.1:1502".parse().unwrap(),
            units: vec![1],
            connections_max: 8,
            idle_ms: IDLE_MS,
            readers: Vec::new(),
            writers: vec![writer("dispatch", "192.0.2.1"), writer("backup", "192.0.2.2")],
        }
    }

    #[test]
    fn a_site_says_who_may_write_what_and_at_which_priority() {
        let peer: IpAddr = "192.0.2.1".parse().unwrap();
        let server = ModbusServer {
            listen: "127.0.0.1:1502".parse().unwrap(),
            units: vec![1, 7],
            readers: vec!["192.0.2.9".parse().unwrap()],
            writers: vec![flyball_config::Writer { peer, commands: vec![2, 0], heartbeat: true, writes_per_s: 10 }],
        };
        let command = |priority| CommandDef { point: 30, lease_ms: 1_000, priority };
        let settings = Settings::of_site(&server, &[command(1), command(2), command(3)]);
        let commands = vec![Grant { command: 2, priority: 3 }, Grant { command: 0, priority: 1 }];
        let writer = Writer { peer, name: "192.0.2.1".into(), commands, writes_per_s: 10, heartbeat: true };
        let Settings { listen, units, readers, writers, .. } = settings.clone();
        assert_eq!((listen, units, readers, writers), (server.listen, server.units, server.readers, vec![writer]));
        assert_eq!(settings.check(3), Ok(()));
    }

    #[test]
    fn each_impossible_setting_is_named_with_its_number_and_a_remedy() {
        type Spoil = fn(&mut Settings);
        let rows: [(&str, Spoil); 8] = [
            ("0 connections", |s| s.connections_max = 0),
            ("65 connections", |s| s.connections_max = 65),
            ("idle time of 999 ms", |s| s.idle_ms = 999),
            ("2 writers share 1 connections", |s| s.connections_max = 1),
            ("`dispatch` and `backup` are both at 192.0.2.1", |s| s.writers[1].peer = "192.0.2.1".parse().unwrap()),
            ("`dispatch` and `backup` are both at ::ffff:192.0.2.1", |s| {
                s.writers[1].peer = "::ffff:192.0.2.1".parse().unwrap()
            }),
            ("`backup` has 0 writes", |s| s.writers[1].writes_per_s = 0),
            ("`backup` is given command point 2, but the site has 2", |s| s.writers[1].commands[1].command = 2),
        ];
        assert_eq!(settings().check(2), Ok(()));
        for (sentence, spoil) in rows {
            let mut spoilt = settings();
            spoil(&mut spoilt);
            let error = spoilt.check(2).expect_err(sentence).to_string();
            assert!(error.contains(sentence), "{error}");
        }
    }
}
