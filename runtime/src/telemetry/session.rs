//! The loop of the telemetry thread: rounds into the buffer, the buffer to the broker, one connection at a time.
//!
//! Everything that could wait for ever has an end: an attempt to connect, an acknowledgement, an orderly stop.

use super::backoff::Backoff;
use super::client::Counters;
use super::message::Groups;
use super::publisher::{Connect, Happened, Publisher, Ticket, UNDER_WAY_MAX};
use super::queue::{Pace, Queue};
use super::settings::{OFFLINE_BYTES_MAX, Settings};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout_at};

/// The buffer drains so many times faster than rounds fill it …
const DRAIN_FACTOR: u32 = 4;
/// … and not slower than so many messages a second.
const DRAIN_PER_S_MIN: u32 = 20;
/// Where there is no snapshot yet, the next look comes so soon, however long a round is.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The library ends an attempt by itself; this is for the case that it does not.
const CONNECT_GRACE: Duration = Duration::from_secs(1);

/// What the loop has.
pub(super) struct Session<C: Connect, R> {
    settings: Settings,
    groups: Groups,
    connect: C,
    read: R,
    words: Vec<u64>,
    scan_before: Option<u64>,
    queue: Queue,
    pace: Pace,
    backoff: Backoff,
    counters: Arc<Counters>,
    phase: Phase<C::Link>,
    began: Instant,
    failing: bool,
    refusing: bool,
}

enum Phase<L> {
    /// Until the next attempt.
    Waiting { until: Instant },
    /// Until the broker answers.
    Connecting { link: L, until: Instant },
    /// Connected.
    Up { link: L, since: Instant, under_way: usize, heard: Instant },
}

impl<C: Connect, R: FnMut(&mut [u64]) -> Option<u64>> Session<C, R> {
    /// Begins disconnected, with an attempt due at once. Must be made inside the runtime that runs it.
    pub(super) fn new(
        settings: Settings,
        groups: Groups,
        connect: C,
        read: R,
        counters: Arc<Counters>,
        seed: u64,
    ) -> Self {
        let timing = settings.timing();
        let (per_s, burst) = drain(groups.count(), settings.every);
        let now = Instant::now();
        Self {
            connect,
            read,
            words: vec![0; groups.words()],
            scan_before: None,
            queue: Queue::new(settings.offline_messages_max.max(groups.count()), OFFLINE_BYTES_MAX),
            pace: Pace::new(per_s, burst),
            backoff: Backoff::new(timing.retry_first, timing.retry_longest, timing.steady, seed),
            counters,
            phase: Phase::Waiting { until: now },
            began: now,
            failing: false,
            refusing: false,
            groups,
            settings,
        }
    }

    /// Runs until `stop` speaks or is dropped, then leaves in order.
    pub(super) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut rounds = interval(self.settings.every);
        // late is late: no rounds are made up for
        rounds.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let wake = self.wake();
            tokio::select! {
                biased;
                _ = &mut stop => break,
                happened = happened(&mut self.phase) => self.take(happened).await,
                _ = rounds.tick() => {
                    if !self.round() {
                        rounds.reset_after(self.settings.every.min(LOOK_AGAIN));
                    }
                }
                () = sleep_until(wake) => self.overdue().await,
            }
            self.pump();
            self.count();
        }
        self.leave().await;
    }

    /// A snapshot becomes messages; whether there was one. One that was shown before is not shown again: the scan stands
    /// still.
    fn round(&mut self) -> bool {
        if (self.read)(&mut self.words).is_none() {
            return false;
        }
        let Some(round) = self.groups.round(&self.words, &self.counters.delivery()) else {
            return false;
        };
        if self.scan_before.replace(round.scan) != Some(round.scan) {
            round.messages.into_iter().for_each(|message| self.queue.push(message));
        }
        true
    }

    /// What happened on the connection.
    async fn take(&mut self, happened: Happened) {
        match happened {
            Happened::Connected { packet_bytes_max } => self.connected(packet_bytes_max),
            Happened::Delivered(ticket) => {
                if let Ticket::Queued(number) = ticket {
                    self.queue.delivered(number);
                    self.counters.published();
                }
                self.answered();
            }
            Happened::Refused(ticket, why) => {
                // once per connection: a broker that refuses everything must not fill the log
                if !std::mem::replace(&mut self.refusing, true) {
                    log::warn!("mqtt: {} refuses messages: {why}", self.settings.broker);
                }
                if let Ticket::Queued(number) = ticket {
                    self.queue.refuse(number);
                }
                self.answered();
            }
            Happened::Ended(why) => self.end(&why).await,
        }
    }

    fn connected(&mut self, packet_bytes_max: Option<u32>) {
        let now = Instant::now();
        let Phase::Connecting { mut link, .. } = std::mem::replace(&mut self.phase, Phase::Waiting { until: now })
        else {
            return;
        };
        log::info!("mqtt: connected to {}", self.settings.broker);
        (self.failing, self.refusing) = (false, false);
        self.counters.connected();
        self.queue.fit(packet_bytes_max);
        let every_ms = u64::try_from(self.settings.every.as_millis()).unwrap_or(u64::MAX);
        let greetings = [self.groups.state(true), self.groups.meta(every_ms)];
        let fits =
            |bytes: usize| packet_bytes_max.is_none_or(|max| u64::try_from(bytes).is_ok_and(|b| b <= u64::from(max)));
        let under_way =
            greetings.iter().filter(|m| fits(m.packet_bytes()) && link.publish(Ticket::Greeting, m)).count();
        self.phase = Phase::Up { link, since: now, under_way, heard: now };
    }

    fn answered(&mut self) {
        if let Phase::Up { under_way, heard, .. } = &mut self.phase {
            *under_way = under_way.saturating_sub(1);
            *heard = Instant::now();
        }
    }

    /// A time has come: the next attempt, the end of patience, or the next message at the limited rate.
    ///
    /// A connection on which nothing was under way for a keep-alive is probed with what the broker knows anyway. MQTT's own
    /// pings are not enough: a broker may switch them off.
    async fn overdue(&mut self) {
        let (now, patience) = (Instant::now(), self.patience());
        match &mut self.phase {
            Phase::Waiting { until } if now >= *until => {
                let until = now + self.settings.timing().connect + CONNECT_GRACE;
                self.phase = Phase::Connecting { link: self.connect.connect(), until };
            }
            Phase::Connecting { until, .. } if now >= *until => self.end("no answer").await,
            Phase::Up { link, under_way, heard, .. } if now >= *heard + patience => {
                if *under_way > 0 {
                    self.end("no acknowledgement within the keep-alive").await;
                } else if link.publish(Ticket::Greeting, &self.groups.state(true)) {
                    (*under_way, *heard) = (1, now);
                }
            }
            _ => {}
        }
    }

    /// As much as window and rate allow.
    fn pump(&mut self) {
        let now = Instant::now();
        let Phase::Up { link, under_way, heard, .. } = &mut self.phase else {
            return;
        };
        while *under_way < UNDER_WAY_MAX {
            let Some((number, message)) = self.queue.next() else {
                return;
            };
            if !self.pace.take(now - self.began) || !link.publish(Ticket::Queued(number), message) {
                return;
            }
            self.queue.sent();
            if *under_way == 0 {
                *heard = now;
            }
            *under_way += 1;
        }
    }

    /// When something is to be done even if nothing happens.
    fn wake(&self) -> Instant {
        match &self.phase {
            Phase::Waiting { until } | Phase::Connecting { until, .. } => *until,
            Phase::Up { under_way, heard, .. } => {
                let patience = *heard + self.patience();
                let more = *under_way < UNDER_WAY_MAX && self.queue.next().is_some();
                if more { patience.min(self.began + self.pace.next()) } else { patience }
            }
        }
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(u64::from(self.settings.keep_alive_s))
    }

    /// The connection, or the attempt, is over. A pause follows.
    async fn end(&mut self, why: &str) {
        let now = Instant::now();
        let lasted = match &self.phase {
            Phase::Up { since, .. } => now - *since,
            _ => Duration::ZERO,
        };
        let pause = self.backoff.pause(lasted);
        let ended = std::mem::replace(&mut self.phase, Phase::Waiting { until: now + pause });
        if let Phase::Connecting { link, .. } | Phase::Up { link, .. } = ended {
            link.cut().await;
        }
        self.counters.lost();
        // once per outage: an attempt every half minute for a week is not news
        let level = if self.failing { log::Level::Debug } else { log::Level::Warn };
        log::log!(
            level,
            "mqtt: no connection to {}: {why}; next attempt in {} ms",
            self.settings.broker,
            pause.as_millis()
        );
        self.failing = true;
    }

    fn count(&self) {
        self.counters.buffer(self.queue.len(), self.queue.dropped(), self.queue.refused());
    }

    /// Says `offline` and leaves. What is in the buffer stays unsent: a stop has an end.
    async fn leave(self) {
        let deadline = Instant::now() + self.settings.timing().stop;
        match self.phase {
            Phase::Waiting { .. } => {}
            Phase::Connecting { link, .. } => link.cut().await,
            Phase::Up { mut link, under_way, .. } => {
                let said = link.publish(Ticket::Greeting, &self.groups.state(false));
                let mut open = under_way + usize::from(said);
                let _ = timeout_at(deadline, async {
                    while open > 0 && !matches!(link.happened().await, Happened::Ended(_)) {
                        open -= 1;
                    }
                    link.leave().await;
                })
                .await;
            }
        }
        self.counters.lost();
    }
}

/// Rate and burst, messages per second and messages, for so many messages per round. In step with the rounds nothing waits.
fn drain(per_round: usize, every: Duration) -> (u32, u32) {
    let per_round = u32::try_from(per_round).unwrap_or(u32::MAX / 8);
    let every_ms = u32::try_from(every.as_millis()).unwrap_or(u32::MAX).max(1);
    let made_per_s = u64::from(per_round) * 1_000 / u64::from(every_ms) + 1;
    let per_s = u32::try_from(made_per_s).unwrap_or(u32::MAX / 8).saturating_mul(DRAIN_FACTOR).max(DRAIN_PER_S_MIN);
    (per_s, per_round.saturating_mul(2))
}

async fn happened<L: Publisher>(phase: &mut Phase<L>) -> Happened {
    match phase {
        Phase::Waiting { .. } => std::future::pending().await,
        Phase::Connecting { link, .. } | Phase::Up { link, .. } => link.happened().await,
    }
}

#[cfg(test)]
mod tests;
