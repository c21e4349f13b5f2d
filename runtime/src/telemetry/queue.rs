//! What waits for the broker: a buffer with a bound in count and in bytes that drops the oldest and counts them, and the
//! limited rate at which it drains.
//!
//! A message leaves the buffer when the broker has acknowledged it. After a lost connection all that was under way is sent
//! again, oldest first: a subscriber may see a message twice, but never an older one for the first time after a newer one.

use super::message::Message;
use std::collections::VecDeque;
use std::time::Duration;

/// What a message costs in the buffer besides its topic and text, bytes.
const COST_BYTES: usize = size_of::<Message>();

/// The buffer. Messages are numbered from 0 in the order in which they came.
#[derive(Debug)]
pub struct Queue {
    messages: VecDeque<Message>,
    /// The number of the message at the front.
    first: u64,
    /// So many from the front are under way.
    under_way: usize,
    bytes: usize,
    messages_max: usize,
    bytes_max: usize,
    packet_bytes_max: usize,
    dropped: u64,
    refused: u64,
}

impl Queue {
    /// Holds at most so many messages and so many bytes.
    #[must_use]
    pub fn new(messages_max: usize, bytes_max: usize) -> Self {
        Self {
            messages: VecDeque::new(),
            first: 0,
            under_way: 0,
            bytes: 0,
            messages_max,
            bytes_max,
            packet_bytes_max: usize::MAX,
            dropped: 0,
            refused: 0,
        }
    }

    /// Takes a message in. Where there is no room the oldest go, even if under way; one that could never be sent is
    /// refused at once.
    pub fn push(&mut self, message: Message) {
        let cost = cost(&message);
        if message.packet_bytes() > self.packet_bytes_max || cost > self.bytes_max || self.messages_max == 0 {
            self.refused += 1;
            return;
        }
        while self.messages.len() >= self.messages_max || self.bytes + cost > self.bytes_max {
            self.pop();
            self.dropped += 1;
        }
        self.bytes += cost;
        self.messages.push_back(message);
    }

    /// The oldest message that is not under way, with its number.
    #[must_use]
    pub fn next(&self) -> Option<(u64, &Message)> {
        let message = self.messages.get(self.under_way)?;
        Some((self.first + to_u64(self.under_way), message))
    }

    /// The message that [`Queue::next`] showed is now under way.
    pub fn sent(&mut self) {
        self.under_way = (self.under_way + 1).min(self.messages.len());
    }

    /// The broker has it. Acknowledgements come in the order of sending; one for a message that was dropped meanwhile
    /// does nothing.
    pub fn delivered(&mut self, number: u64) {
        self.done(number);
    }

    /// The broker does not want it: it is not offered again.
    pub fn refuse(&mut self, number: u64) {
        self.done(number);
        self.refused += 1;
    }

    /// A new connection, with a broker that takes packets of so many bytes at most (`None`: any). What was under way on the
    /// one before is to be sent again; what is larger is refused, for it would end every connection that it is sent on.
    pub fn fit(&mut self, packet_bytes_max: Option<u32>) {
        self.under_way = 0;
        self.packet_bytes_max = packet_bytes_max.and_then(|b| usize::try_from(b).ok()).unwrap_or(usize::MAX);
        let before = self.messages.len();
        self.messages.retain(|m| m.packet_bytes() <= self.packet_bytes_max);
        let gone = to_u64(before - self.messages.len());
        self.refused += gone;
        self.first += gone;
        self.bytes = self.messages.iter().map(cost).sum();
    }

    /// Messages in the buffer, with those under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Bytes in the buffer, with what each message costs besides its text.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Messages that went because there was no room, since start. One that was under way may have arrived all the same.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Messages that the broker refused or that are too large for it, since start.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    fn done(&mut self, number: u64) {
        while self.under_way > 0 && self.first <= number {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some(message) = self.messages.pop_front() {
            self.bytes -= cost(&message);
            self.first += 1;
            self.under_way = self.under_way.saturating_sub(1);
        }
    }
}

fn cost(message: &Message) -> usize {
    COST_BYTES + message.topic.len() + message.payload.len()
}

fn to_u64(n: usize) -> u64 {
    u64::try_from(n).expect("a usize fits into 64 bits on every machine this builds for")
}

/// Not more than so many per second, after a burst. Time is an argument: anything monotonic.
#[derive(Clone, Debug)]
pub struct Pace {
    gap: Duration,
    tolerance: Duration,
    due: Duration,
}

impl Pace {
    /// `per_s` ≥ 1 messages a second, and `burst` ≥ 1 at once after a pause.
    #[must_use]
    pub fn new(per_s: u32, burst: u32) -> Self {
        let gap = Duration::from_secs(1) / per_s.clamp(1, 1_000_000);
        Self { gap, tolerance: gap * burst.saturating_sub(1), due: Duration::ZERO }
    }

    /// When the next message may go.
    #[must_use]
    pub fn next(&self) -> Duration {
        self.due.saturating_sub(self.tolerance)
    }

    /// Whether a message may go now; if so it counts.
    pub fn take(&mut self, now: Duration) -> bool {
        let may = now >= self.next();
        if may {
            self.due = self.due.max(now) + self.gap;
        }
        may
    }
}

#[cfg(test)]
mod tests;
