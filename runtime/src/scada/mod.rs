//! The SCADA side: a Modbus TCP server that shows one snapshot per answer and turns writes into commands.
//!
//! # Reads
//! The published snapshot of the last scan, through the [`ports::Published`] port. All registers of one answer come from
//! one snapshot; requests that are answered in the same turn of the server share it.
//! # Demands
//! Nothing. A write becomes [`Command`](crate::scan::command::Command)s in a bounded queue; whether a command acts is the
//! scan's business (range, priority, holder, lease). A value that was written is read back once a scan has taken it.
//! # When inputs are lost
//! Without a snapshot (before the first scan) reads are answered with exception 6, busy. If scans stop, the last snapshot
//! stays readable and its heartbeat register stands still: a master must watch that. If a master stops, its leases run out.
//!
//! # Who may connect, and who may write
//! Peers that [`Settings::readers`] or [`Settings::writers`] name, and the machine itself if the server listens on a loopback
//! address; others are let go at once. Nobody may write unless [`Settings::writers`] names the peer and the command
//! points. An empty list means nobody.
//!
//! | a write | is answered with exception |
//! |---|---|
//! | by a peer that is not listed, whatever it writes | 1, illegal function |
//! | to a register that is not there, is read-only, or is not this writer's | 2, illegal address |
//! | of half a value, not a number, or out of the command's range | 3, illegal value |
//! | beyond the writer's rate, or while the command queue is full | 6, busy |
//!
//! The rate is looked at before the registers, so every write of a listed peer counts, refused ones too. A request is
//! taken whole or not at all.
//!
//! # Limits
//! | what | bound | where |
//! |---|---|---|
//! | connections | [`settings::CONNECTIONS_MAX`], one slot reserved per writer, half of all per peer | [`admission`] |
//! | memory per connection | one request and one answer of [`frame::ADU_MAX`] bytes | [`connection`] |
//! | time for one request | [`connection::REQUEST_DEADLINE_MS`] from its first byte | [`connection`] |
//! | time to take an answer | [`connection::ANSWER_DEADLINE_MS`] | [`connection`] |
//! | idle time | [`Settings::idle_ms`] | [`connection`] |
//! | requests | one per connection and turn, so that nobody starves | [`server`] |
//! | writes | [`Writer::writes_per_s`], bursts of one second's worth | [`writers`] |
//!
//! Functions 1 to 6, 15 and 16 are served; all else is exception 1, among it everything that diagnoses, forces or
//! restarts. Units 0, 255 and the configured ones are answered, others are met with silence.
//!
//! Everything but [`server`] does without sockets, threads and clocks: time is an argument.
//!
//! **Invariant: nothing from the network writes the image, and no client makes this allocate.**

pub mod admission;
pub mod connection;
pub mod frame;
pub mod guard;
pub mod map;
pub mod ports;
pub mod server;
pub mod settings;
pub mod station;
pub mod writers;

pub use map::RegisterMap;
pub use ports::{Commands, Full, Ports, Published};
pub use server::{Server, StartError};
pub use settings::{Grant, Settings, Writer};
pub use station::Station;
