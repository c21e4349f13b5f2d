//! One connection and the devices behind it, without a socket and without a clock: what to do next, and what came.
//!
//! **One request is in flight**, whichever device it is for; devices with something to ask take turns. A device that did not
//! answer last time comes behind all others, though not for longer than a second, and its attempts have pauses (see
//! [`super::poller`]): it costs the others one time-out per attempt.
//!
//! **Answers** count by transaction id: one that comes after its time-out is dropped and counted, and the connection is in
//! order. A stream that is not Modbus TCP, or three requests in a row of which nothing was heard at all, ends the
//! connection: a peer whose power was cut says nothing, so a half-open connection shows only in this way. The next
//! connection is tried 1 s later at the earliest, then after pauses that double up to 5 s, until something is answered.

use super::fault::LinkFault;
use super::poller::{Poller, Step};
use crate::field::backoff::{Backoff, CONNECTION_FIRST_NS};
use crate::field::block::Outputs;
use flyball_io_map::image::ScanTime;
use flyball_io_map::modbus::{Adu, Arrived, Client};

/// A connection that is not there after so long will not be, ns: three tries of the kernel (at 0, 1 and 3 s) had their time.
pub const CONNECT_TIMEOUT_NS: u64 = 4_000_000_000;
/// After so many requests in a row without any sign of the peer the connection is taken for dead.
const UNANSWERED_MAX: u32 = 3;
/// A device that did not answer is passed over for so long at most, ns, while others have something to ask.
const PASSED_OVER_NS: u64 = 1_000_000_000;
/// If a device that answers wants to ask within so long, ns, one that does not answer waits for it. Longer than the pauses
/// that devices want between requests, shorter than polls.
const SOON_NS: u64 = 20_000_000;
/// So many requests that timed out are remembered, to tell whose a late answer is.
const GIVEN_UP_MAX: usize = 8;

/// What to do with the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Do<'a> {
    /// Begin to connect; then [`Endpoint::connected`] or [`Endpoint::connect_failed`].
    Connect,
    /// Send these bytes, all of them.
    Send(&'a [u8]),
    /// Drop the socket.
    Close,
    /// Nothing before this time, unless something comes or the scan wants something else.
    Wait(ScanTime),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Down { again: ScanTime },
    Connecting { until: ScanTime },
    Up,
    Broken,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    device: usize,
    transaction: u16,
    until: ScanTime,
}

/// A device and the unit id by which it is asked.
#[derive(Debug)]
pub struct Member {
    /// 0 to 255, as it stands in the frame.
    pub unit: u8,
    /// The device.
    pub poller: Poller,
}

/// One connection and its devices.
#[derive(Debug)]
pub struct Endpoint {
    members: Vec<Member>,
    /// Since when each device had no chance to ask, because it did not answer before.
    passed_over: Vec<Option<ScanTime>>,
    link: Link,
    client: Client,
    adu: Adu,
    turn: usize,
    asked: Option<Asked>,
    unanswered: u32,
    given_up: [Option<(u16, usize)>; GIVEN_UP_MAX],
    given_up_next: usize,
    backoff: Backoff,
}

impl Endpoint {
    /// Not connected. `seed` is that of the jitter.
    #[must_use]
    pub fn new(members: Vec<Member>, seed: u64, now: ScanTime) -> Self {
        Self {
            passed_over: vec![None; members.len()],
            members,
            link: Link::Down { again: now },
            client: Client::new(),
            adu: Adu::new(),
            turn: 0,
            asked: None,
            unanswered: 0,
            given_up: [None; GIVEN_UP_MAX],
            given_up_next: 0,
            backoff: Backoff::new(CONNECTION_FIRST_NS, seed),
        }
    }

    /// The devices, in their order.
    pub fn pollers(&self) -> impl Iterator<Item = &Poller> {
        self.members.iter().map(|m| &m.poller)
    }

    /// Whether the connection stands.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.link == Link::Up
    }

    /// Whether nothing is left to be done for the scan's last block, for any device.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.members.iter().all(|m| m.poller.is_finished())
    }

    /// What to do at `now`. `outputs` is what the scan wants of each device, by its place.
    pub fn next<'o>(&mut self, now: ScanTime, outputs: impl Fn(usize) -> Outputs<'o>) -> Do<'_> {
        self.time_out(now);
        match self.link {
            Link::Broken => {
                self.link = Link::Down { again: ScanTime(now.0 + self.backoff.fault()) };
                Do::Close
            }
            Link::Down { again } if now >= again => {
                self.link = Link::Connecting { until: ScanTime(now.0 + CONNECT_TIMEOUT_NS) };
                Do::Connect
            }
            Link::Connecting { until } if now >= until => {
                self.link = Link::Down { again: ScanTime(now.0 + self.backoff.fault()) };
                Do::Close
            }
            Link::Down { again: until } | Link::Connecting { until } => Do::Wait(self.rest(now, &outputs).min(until)),
            Link::Up => match self.asked {
                Some(asked) => Do::Wait(self.rest(now, &outputs).min(asked.until)),
                None => self.ask(now, &outputs),
            },
        }
    }

    /// The connection stands.
    pub fn connected(&mut self) {
        self.link = Link::Up;
        self.client = Client::new();
        self.asked = None;
        self.unanswered = 0;
        self.given_up = [None; GIVEN_UP_MAX];
    }

    /// No connection came about; the socket was dropped.
    pub fn connect_failed(&mut self, now: ScanTime) {
        self.link = Link::Down { again: ScanTime(now.0 + self.backoff.fault()) };
    }

    /// The peer closed or reset the connection, or sending failed; the socket was dropped.
    pub fn closed(&mut self, now: ScanTime) {
        if self.link == Link::Up {
            self.lose(now, LinkFault::Disconnected);
        }
        self.link = Link::Down { again: ScanTime(now.0 + self.backoff.fault()) };
    }

    /// Bytes came.
    pub fn received(&mut self, now: ScanTime, mut bytes: &[u8]) {
        while self.link == Link::Up {
            match self.client.take(&mut bytes) {
                Ok(None) => return,
                Ok(Some(Arrived::Late { transaction })) => {
                    self.unanswered = 0;
                    let of = self.given_up.iter_mut().find(|g| g.is_some_and(|(t, _)| t == transaction));
                    if let Some((_, device)) = of.and_then(Option::take) {
                        self.members[device].poller.note_late_answer();
                    }
                }
                Ok(Some(arrived)) => {
                    self.unanswered = 0;
                    let Some(asked) = self.asked.take() else { continue };
                    let answer = match arrived {
                        Arrived::Answer(pdu) => Ok(pdu),
                        Arrived::WrongUnit { asked, got } => Err(LinkFault::WrongUnit { asked, got }),
                        Arrived::Late { .. } => Err(LinkFault::Timeout),
                    };
                    if answer.is_ok() {
                        self.backoff.success();
                    }
                    self.members[asked.device].poller.answered(now, answer);
                }
                Err(error) => {
                    self.lose(now, LinkFault::Framing(error));
                    self.link = Link::Broken;
                }
            }
        }
    }

    /// All devices lose the connection.
    fn lose(&mut self, now: ScanTime, fault: LinkFault) {
        let asked = self.asked.take().map(|a| a.device);
        for (device, member) in self.members.iter_mut().enumerate() {
            if asked == Some(device) {
                member.poller.answered(now, Err(fault));
            } else {
                member.poller.disconnected(now);
            }
        }
    }

    fn time_out(&mut self, now: ScanTime) {
        let Some(asked) = self.asked.take_if(|asked| now >= asked.until) else { return };
        self.client.give_up();
        self.given_up[self.given_up_next] = Some((asked.transaction, asked.device));
        self.given_up_next = (self.given_up_next + 1) % GIVEN_UP_MAX;
        self.members[asked.device].poller.answered(now, Err(LinkFault::Timeout));
        self.unanswered += 1;
        if self.unanswered >= UNANSWERED_MAX {
            self.lose(now, LinkFault::Disconnected);
            self.link = Link::Broken;
        }
    }

    /// Lets time pass for all devices. When the next of them needs it again.
    fn rest<'o>(&mut self, now: ScanTime, outputs: &impl Fn(usize) -> Outputs<'o>) -> ScanTime {
        let members = self.members.iter_mut().enumerate();
        members.map(|(i, m)| m.poller.rest(now, &outputs(i))).min().unwrap_or(ScanTime(u64::MAX))
    }

    /// The next request, from the device whose turn it is on.
    fn ask<'o>(&mut self, now: ScanTime, outputs: &impl Fn(usize) -> Outputs<'o>) -> Do<'_> {
        let (count, mut until) = (self.members.len(), ScanTime(u64::MAX));
        for behind in [false, true] {
            // the pause of a device that answers is too short for an attempt that may end with a time-out
            if behind && until.0 <= now.0 + SOON_NS {
                break;
            }
            for device in (self.turn..count).chain(0..self.turn) {
                if self.comes_behind(device, now) != behind {
                    continue;
                }
                self.passed_over[device] = None;
                match self.ask_device(now, device, &outputs(device)) {
                    Some(at) => until = until.min(at),
                    None => return Do::Send(self.adu.as_bytes()),
                }
            }
        }
        Do::Wait(until)
    }

    /// Whether a device that did not answer last time has to wait for all others.
    fn comes_behind(&mut self, device: usize, now: ScanTime) -> bool {
        let since = self.passed_over[device].get_or_insert(now);
        !self.members[device].poller.is_answering() && now.since(*since) < PASSED_OVER_NS
    }

    /// `None`: its request stands in the frame to be sent. Else when it wants to be asked again.
    fn ask_device(&mut self, now: ScanTime, device: usize, outputs: &Outputs<'_>) -> Option<ScanTime> {
        let Member { unit, poller } = &mut self.members[device];
        let timeout_ns = poller.timeout_ns();
        let request = match poller.next(now, outputs) {
            Step::Wait(at) => return Some(at),
            Step::Send(request) => request,
        };
        if self.client.ask(*unit, &request, &mut self.adu).is_err() {
            // a request that no frame can hold; profiles are checked not to make one
            poller.answered(now, Err(LinkFault::Timeout));
            return Some(ScanTime(now.0 + timeout_ns));
        }
        self.turn = (device + 1) % self.members.len();
        let transaction = u16::from_be_bytes([self.adu.as_bytes()[0], self.adu.as_bytes()[1]]);
        self.asked = Some(Asked { device, transaction, until: ScanTime(now.0 + timeout_ns) });
        None
    }
}
