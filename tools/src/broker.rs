//! The broker that `flyball demo` embeds, so that a newcomer needs none: MQTT 5 and 3.1.1 for clients of this machine,
//! without passwords, without anything on disk. What it held is gone when it stops.
//!
//! It is no part of what is installed on a site.

use anyhow::{Context, bail};
use flyball_runtime::rt::side::spawn_side;
use mqtt5::broker::config::{AuthConfig, StorageConfig};
use mqtt5::broker::{BrokerConfig, MqttBroker};
use std::net::SocketAddr;
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Stack of the broker's thread: twice what a debug build needs (measured: more than 128 KiB, less than 256).
const STACK_BYTES: usize = 512 * 1024;
/// Enough for some terminals with mosquitto_sub.
const CLIENTS_MAX: usize = 32;
/// Larger messages are refused.
const PACKET_BYTES_MAX: usize = 1024 * 1024;
/// Topics of which the last message is kept.
const RETAINED_MAX: usize = 1_000;

/// A running broker. Stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Broker {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Broker {
    /// Listens on an address of this machine; port 0 takes a free one.
    ///
    /// # Errors
    /// If the address is not a loopback one, is in use, or the system gives no thread.
    pub(crate) fn start(addr: SocketAddr) -> anyhow::Result<Self> {
        if !addr.ip().is_loopback() {
            bail!(
                "the embedded broker knows no passwords, so it cannot listen on {addr}: use 127.0.0.1, or run a broker of your own and give its address with --mqtt"
            );
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .thread_stack_size(STACK_BYTES)
            .max_blocking_threads(1)
            .build()
            .context("the system gives the embedded broker nothing to wait on sockets with")?;
        let mut broker = runtime
            .block_on(MqttBroker::with_config(config(addr)))
            .with_context(|| format!("the embedded broker cannot listen on {addr}: is the port in use?"))?;
        let addr = broker.local_addr().context("the embedded broker does not listen")?;
        let (stop, stopped) = oneshot::channel();
        let thread = spawn_side("broker", STACK_BYTES, move || {
            runtime.block_on(async {
                tokio::select! {
                    ended = broker.run() => {
                        if let Err(why) = ended {
                            log::error!("the embedded broker has ended: {why}");
                        }
                    }
                    _ = stopped => {}
                }
            });
            // clients find their connections closed
            runtime.shutdown_background();
        })?;
        Ok(Self { addr, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // that it panicked was told on its own thread
            let _ = thread.join();
        }
    }
}

fn config(addr: SocketAddr) -> BrokerConfig {
    let mut config = BrokerConfig::default()
        .with_auth(AuthConfig::default().with_allow_anonymous(true))
        .with_storage(StorageConfig::default().with_persistence(false))
        .with_max_clients(CLIENTS_MAX)
        .with_max_packet_size(PACKET_BYTES_MAX)
        .with_max_retained_messages(RETAINED_MAX)
        .with_max_retained_message_size(PACKET_BYTES_MAX)
        .with_sys_topics_enabled(false);
    config.bind_addresses = vec![addr];
    config
}

#[cfg(test)]
mod tests {
    use super::*;
    use flyball_runtime::clock::{Deadline, until};
    use flyball_runtime::scan::snapshot::Layout;
    use flyball_runtime::telemetry::{Asked, Settings, Telemetry};
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::Arc;
    use std::time::Duration;

    const ANY_PORT: &str = "127.0.0.1:0";

    /// A client of bytes: connects with MQTT 5 and subscribes to `s/state`.
    fn subscriber(addr: SocketAddr) -> TcpStream {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(b"\x10\x0E\x00\x04MQTT\x05\x02\x00\x1E\x00\x00\x01s").unwrap();
        stream.write_all(b"\x82\x0D\x00\x01\x00\x00\x07s/state\x00").unwrap();
        stream
    }

    /// Reads until `text` was seen.
    fn sees(stream: &mut TcpStream, text: &[u8]) -> bool {
        let (mut seen, mut byte) = (Vec::new(), [0]);
        while stream.read_exact(&mut byte).is_ok() {
            seen.push(byte[0]);
            if seen.ends_with(text) {
                return true;
            }
        }
        false
    }

    fn telemetry(broker: &Broker) -> Telemetry {
        let url = format!("mqtt://{}", broker.addr());
        let asked = Asked {
            broker: &url,
            client_id: "c",
            prefix: "s",
            every_ms: 100,
            offline_messages_max: 10,
            keep_alive_s: 5,
        };
        let layout = Arc::new(Layout::new("t".into(), 10, Vec::new(), Vec::new(), Vec::new(), Vec::new()));
        let mut scan = 0;
        let read = move |words: &mut [u64]| {
            scan += 1;
            words[1] = scan;
            Some(scan)
        };
        Telemetry::start(Settings::check(&asked).unwrap(), layout, read).unwrap()
    }

    #[test]
    fn a_site_publishes_to_it_and_its_state_is_kept_for_later_subscribers() {
        let broker = Broker::start(ANY_PORT.parse().unwrap()).unwrap();
        let telemetry = telemetry(&broker);
        let came = until(Deadline::after_ms(20_000), || telemetry.status().delivery.published >= 6);
        assert!(came, "{:?}", telemetry.status());
        let mut subscriber = subscriber(broker.addr());
        assert!(sees(&mut subscriber, b"online"));
        assert!(telemetry.stop());
        assert!(sees(&mut subscriber, b"offline"));
    }

    #[test]
    fn it_says_the_last_will_of_a_client_that_is_gone() {
        let broker = Broker::start(ANY_PORT.parse().unwrap()).unwrap();
        let mut subscriber = subscriber(broker.addr());
        let mut dies = TcpStream::connect(broker.addr()).unwrap();
        dies.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        dies.write_all(b"\x10\x21\x00\x04MQTT\x05\x2E\x00\x1E\x00\x00\x01d\x00\x00\x07s/state\x00\x07offline").unwrap();
        assert!(sees(&mut dies, &[0x20]), "a CONNACK");
        drop(dies);
        assert!(sees(&mut subscriber, b"offline"));
    }

    #[test]
    fn it_stops_when_it_is_dropped_and_its_port_is_free_again() {
        let broker = Broker::start(ANY_PORT.parse().unwrap()).unwrap();
        let addr = broker.addr();
        let mut client = subscriber(addr);
        drop(broker);
        assert!(!sees(&mut client, b"never said"), "the connection is closed");
        assert!(TcpStream::connect(addr).is_err());
        drop(Broker::start(addr).unwrap());
    }

    #[test]
    fn a_port_in_use_and_an_address_of_the_network_are_refused_with_a_sentence() {
        let first = Broker::start(ANY_PORT.parse().unwrap()).unwrap();
        let refused = Broker::start(first.addr()).unwrap_err();
        assert!(refused.to_string().contains(&first.addr().to_string()), "{refused:#}");
        let refused = Broker::start("0.0.0.0:0".parse().unwrap()).unwrap_err();
        assert!(refused.to_string().contains("--mqtt"), "{refused}");
    }
}
