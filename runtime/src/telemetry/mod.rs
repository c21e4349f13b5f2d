//! MQTT out: what the scan publishes goes to a broker as JSON, one message per group of points, in a side thread.
//!
//! Reads snapshots of the scan and nothing else; takes no commands. The broker is not trusted: whatever it sends, or does
//! not send, ends at most in a new attempt to connect, with growing pauses, one connection at a time.
//!
//! What happens when things are lost: without a broker the messages wait in a buffer with a bound in count and bytes; the
//! oldest go first and their number is published. When the broker is back the buffer drains in order and at a limited
//! rate. When the scan stands still nothing is published: an old value is never sent as a new one. When this process
//! dies, the broker says `offline` in its name (last will); an orderly stop says it itself.
//!
//! - [`settings`]: what the site file says, checked.
//! - [`message`]: from a snapshot to messages; pure.
//! - [`queue`]: the bounded buffer and the limited rate; pure.
//! - [`backoff`]: how long to wait before the next attempt; pure.
//! - `publisher`: our own face of an MQTT connection, and the only code that knows the library behind it.
//! - `session`: the loop that ties them together.
//! - [`client`]: the thread, its handle and its counters.
//!
//! **Invariant: nothing waits for a broker.** The scan does not know that this module exists.

pub mod backoff;
pub mod client;
#[cfg(test)]
mod example;
pub mod message;
mod publisher;
pub mod queue;
mod session;
pub mod settings;

pub use client::{StartError, Status, Telemetry};
pub use settings::{Asked, BrokerUrl, Settings, SettingsError, Timing};
