//! The telemetry thread: started with the site, stopped within a bound, watched through counters.

use super::message::{Delivery, Groups};
use super::publisher::Mqtt;
use super::session::Session;
use super::settings::Settings;
use crate::rt::side::{SideError, spawn_side};
use crate::scan::snapshot::Layout;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// Stack of the thread, and of the one that looks up a broker's name: twice what a debug build needs (measured: more than
/// 128 KiB, less than 192).
pub const STACK_BYTES: usize = 384 * 1024;
/// A stop waits for the thread's own bound and so much longer, then leaves it behind.
const STOP_GRACE: Duration = Duration::from_millis(500);

/// Why telemetry could not start. That a broker is absent is no reason: it may come.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system gave nothing to wait on sockets with.
    #[error("the system gives MQTT nothing to wait on sockets with: {0}; look at the limit for open files (ulimit -n)")]
    Sockets(std::io::Error),
    /// The system gave no thread.
    #[error(transparent)]
    Thread(#[from] SideError),
}

/// What the status line shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether there is a connection that the broker accepted.
    pub connected: bool,
    /// Connections, and messages by what became of them.
    pub delivery: Delivery,
}

/// Written by the thread, read by anybody.
#[derive(Debug, Default)]
pub(super) struct Counters {
    connected: AtomicBool,
    connections: AtomicU64,
    published: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
    queued: AtomicU64,
}

impl Counters {
    pub(super) fn connected(&self) {
        self.connected.store(true, Ordering::Relaxed);
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn lost(&self) {
        self.connected.store(false, Ordering::Relaxed);
    }

    pub(super) fn published(&self) {
        self.published.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn buffer(&self, queued: usize, dropped: u64, refused: u64) {
        self.queued.store(u64::try_from(queued).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.dropped.store(dropped, Ordering::Relaxed);
        self.refused.store(refused, Ordering::Relaxed);
    }

    pub(super) fn delivery(&self) -> Delivery {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Delivery {
            connections: get(&self.connections),
            published: get(&self.published),
            dropped: get(&self.dropped),
            refused: get(&self.refused),
            queued: get(&self.queued),
        }
    }

    fn status(&self) -> Status {
        Status { connected: self.connected.load(Ordering::Relaxed), delivery: self.delivery() }
    }
}

/// The running telemetry of a site. Stops when it is dropped.
#[derive(Debug)]
pub struct Telemetry {
    counters: Arc<Counters>,
    stop: Option<oneshot::Sender<()>>,
    /// Nothing is ever sent: it closes when the thread has ended.
    ended: Receiver<()>,
    thread: Option<JoinHandle<()>>,
    patience: Duration,
}

impl Telemetry {
    /// Starts to publish the site of `layout`. `read` fills the words of the newest snapshot, or returns `None` where
    /// there is none yet; it is called once per round, on the telemetry thread, and must not wait.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start<R>(settings: Settings, layout: Arc<Layout>, read: R) -> Result<Self, StartError>
    where
        R: FnMut(&mut [u64]) -> Option<u64> + Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .thread_name("mqtt-name")
            .thread_stack_size(STACK_BYTES)
            .max_blocking_threads(1)
            .build()
            .map_err(StartError::Sockets)?;
        let groups = Groups::new(layout, &settings.prefix);
        let counters = Arc::new(Counters::default());
        let patience = settings.timing().stop + STOP_GRACE;
        let (stop, stopped) = oneshot::channel();
        let (ending, ended) = bounded::<()>(0);
        let shared = Arc::clone(&counters);
        let thread = spawn_side("mqtt", STACK_BYTES, move || {
            let _last = Last { counters: Arc::clone(&shared), _ending: ending };
            let connect = Mqtt::new(&settings, &groups.state(false));
            runtime.block_on(async {
                Session::new(settings, groups, connect, read, shared, fastrand::u64(..)).run(stopped).await;
            });
            // a look-up of a broker's name may hang: it is left behind
            runtime.shutdown_background();
        })?;
        Ok(Self { counters, stop: Some(stop), ended, thread: Some(thread), patience })
    }

    /// What the status line shows, now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.counters.status()
    }

    /// Says `offline`, leaves and ends the thread; returns within the stop's bound and half a second. Whether the thread
    /// ended in time.
    pub fn stop(mut self) -> bool {
        self.end()
    }

    fn end(&mut self) -> bool {
        drop(self.stop.take());
        let Some(thread) = self.thread.take() else {
            return true;
        };
        match self.ended.recv_timeout(self.patience) {
            Err(RecvTimeoutError::Timeout) => {
                log::warn!("mqtt: the thread did not end within {} ms and is left behind", self.patience.as_millis());
                false
            }
            _ => thread.join().is_ok(),
        }
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.end();
    }
}

/// However the thread ends, also by a panic, it counts as disconnected, and whoever waits for it goes on.
struct Last {
    counters: Arc<Counters>,
    _ending: Sender<()>,
}

impl Drop for Last {
    fn drop(&mut self) {
        self.counters.lost();
    }
}
