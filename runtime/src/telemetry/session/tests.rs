//! The loop in virtual time, against a broker that is a script.

use super::*;
use crate::telemetry::example::{at_scan, site};
use crate::telemetry::message::{Delivery, Message};
use crate::telemetry::settings::Asked;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::pending;
use std::rc::Rc;
use tokio::time::sleep;

/// What the broker does with whoever comes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Broker {
    /// Refuses connections.
    Away,
    /// Takes connections and answers nothing at all.
    Silent,
    /// Takes connections, then messages without ever acknowledging one.
    Mute,
    /// Takes connections and drops them after so many ms.
    Drops(u64),
    /// As it should for so many ms, then nothing at all: its machine is gone, and nobody says so.
    Dies(u64),
    /// As it should.
    Good,
    /// Refuses every message but the greetings.
    Refuses,
    /// Takes packets of at most so many bytes.
    Small(u32),
}

#[derive(Default)]
struct World {
    broker: Option<Broker>,
    attempts: Vec<Duration>,
    alive: usize,
    alive_max: usize,
    left: usize,
    cut: usize,
    seen: Vec<(Duration, String, Vec<u8>)>,
    /// Bytes a broker was sent that are more than it takes.
    oversized: usize,
}

impl World {
    fn broker(&self) -> Broker {
        self.broker.unwrap_or(Broker::Away)
    }

    fn scans(&self, topic: &str) -> Vec<u64> {
        let on_topic = self.seen.iter().filter(|(_, t, _)| t == topic);
        on_topic
            .map(|(_, _, payload)| serde_json::from_slice::<Value>(payload).unwrap()["scan"].as_u64().unwrap())
            .collect()
    }

    fn words(&self, topic: &str) -> Vec<String> {
        let on_topic = self.seen.iter().filter(|(_, t, _)| t == topic);
        on_topic.map(|(_, _, payload)| String::from_utf8(payload.clone()).unwrap()).collect()
    }

    fn count_since(&self, from: Duration, to: Duration) -> usize {
        self.seen.iter().filter(|(at, ..)| *at >= from && *at < to).count()
    }
}

type Shared = Rc<RefCell<World>>;

struct Script {
    world: Shared,
    began: Instant,
}

struct ScriptedLink {
    world: Shared,
    began: Instant,
    connected: Instant,
    news: VecDeque<Happened>,
}

impl Connect for Script {
    type Link = ScriptedLink;

    fn connect(&mut self) -> ScriptedLink {
        let mut world = self.world.borrow_mut();
        world.attempts.push(self.began.elapsed());
        world.alive += 1;
        world.alive_max = world.alive_max.max(world.alive);
        let news = match world.broker() {
            Broker::Away => Some(Happened::Ended("connection refused".into())),
            Broker::Silent => None,
            Broker::Small(bytes) => Some(Happened::Connected { packet_bytes_max: Some(bytes) }),
            _ => Some(Happened::Connected { packet_bytes_max: None }),
        };
        let (world, began) = (Rc::clone(&self.world), self.began);
        ScriptedLink { world, began, connected: Instant::now(), news: news.into_iter().collect() }
    }
}

impl Publisher for ScriptedLink {
    fn publish(&mut self, ticket: Ticket, message: &Message) -> bool {
        let mut world = self.world.borrow_mut();
        world.seen.push((self.began.elapsed(), message.topic.to_string(), message.payload.clone()));
        let broker = world.broker();
        if matches!(broker, Broker::Small(max) if message.packet_bytes() > usize::try_from(max).unwrap()) {
            world.oversized += 1;
        }
        match broker {
            Broker::Refuses if ticket != Ticket::Greeting => {
                self.news.push_back(Happened::Refused(ticket, "quota".into()))
            }
            Broker::Dies(ms) if self.connected.elapsed() >= Duration::from_millis(ms) => {}
            Broker::Mute | Broker::Silent | Broker::Away => {}
            _ => self.news.push_back(Happened::Delivered(ticket)),
        }
        true
    }

    async fn happened(&mut self) -> Happened {
        if let Some(news) = self.news.pop_front() {
            return news;
        }
        let broker = self.world.borrow().broker();
        match broker {
            Broker::Drops(ms) => {
                tokio::time::sleep_until(self.connected + Duration::from_millis(ms)).await;
                Happened::Ended("dropped".into())
            }
            Broker::Away => Happened::Ended("connection reset".into()),
            // wakes up often enough to see that the script has changed
            _ => {
                let before = broker;
                while self.world.borrow().broker() == before {
                    sleep(Duration::from_millis(100)).await;
                }
                Happened::Ended("the script went on".into())
            }
        }
    }

    async fn leave(self) {
        self.world.borrow_mut().left += 1;
        if self.world.borrow().broker() == Broker::Mute {
            pending::<()>().await;
        }
        self.world.borrow_mut().alive -= 1;
    }

    async fn cut(self) {
        // a real connection takes a moment to go
        sleep(Duration::from_millis(1)).await;
        let mut world = self.world.borrow_mut();
        world.alive -= 1;
        world.cut += 1;
    }
}

fn settings(every_ms: u32, offline_messages_max: u32) -> Settings {
    let asked = Asked {
        broker: "mqtt://broker",
        client_id: "c",
        prefix: "s",
        every_ms,
        offline_messages_max,
        keep_alive_s: 30,
    };
    Settings::check(&asked).unwrap()
}

/// Runs a site whose scan goes on (`moving`) while a broker begins as `broker` and `script` changes it; returns what was seen and the counters.
async fn play<F: AsyncFnOnce(Shared)>(
    settings: Settings,
    moving: bool,
    broker: Broker,
    script: F,
) -> (World, Arc<Counters>, Duration) {
    let (layout, words) = site();
    let world = Shared::default();
    set(&world, broker);
    let counters = Arc::new(Counters::default());
    let began = Instant::now();
    let mut scan = 0;
    let read = move |to: &mut [u64]| {
        scan = if moving { scan + 1 } else { 1 };
        to.copy_from_slice(&at_scan(&words, scan));
        Some(scan)
    };
    let groups = Groups::new(layout, &settings.prefix);
    let connect = Script { world: Rc::clone(&world), began };
    let session = Session::new(settings, groups, connect, read, Arc::clone(&counters), 7);
    let (stop, stopped) = oneshot::channel();
    let mut stopped_at = began;
    let (ended, ()) = tokio::join!(
        async {
            session.run(stopped).await;
            Instant::now()
        },
        async {
            script(Rc::clone(&world)).await;
            stopped_at = Instant::now();
            drop(stop);
        }
    );
    let world = Rc::try_unwrap(world).unwrap_or_else(|_| panic!("the session still holds a connection")).into_inner();
    (world, counters, ended - stopped_at)
}

const SECOND: Duration = Duration::from_secs(1);
/// Scripts end between two rounds.
const HALF: Duration = Duration::from_millis(500);
const MINUTE: Duration = Duration::from_secs(60);
/// Messages per round of the example.
const PER_ROUND: usize = 5;

fn set(world: &Shared, broker: Broker) {
    world.borrow_mut().broker = Some(broker);
}

#[tokio::test(start_paused = true)]
async fn a_good_broker_gets_every_round_at_once_after_the_greeting() {
    let (world, counters, _) = play(settings(1_000, 100), true, Broker::Good, async |_| {
        sleep(MINUTE - HALF).await;
    })
    .await;
    assert_eq!(world.scans("s/meter"), (1..=60).collect::<Vec<_>>());
    assert_eq!(world.words("s/state"), ["online", "offline"]);
    assert_eq!(world.words("s/meta").len(), 1);
    assert_eq!((world.attempts.len(), world.left, world.alive), (1, 1, 0));
    let Delivery { published, dropped, refused, .. } = counters.delivery();
    assert_eq!((published, dropped, refused), (300, 0, 0));
    let late = world.seen.iter().filter(|(at, topic, _)| topic == "s/meter" && at.subsec_millis() > 2).count();
    assert_eq!(late, 0, "in step with the rounds nothing waits");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_was_away_for_a_week_gets_the_newest_in_order_and_without_a_storm() {
    let away = 7 * 24 * 60 * MINUTE;
    let (world, counters, _) = play(settings(60_000, 1_000), true, Broker::Away, async move |world| {
        sleep(away).await;
        set(&world, Broker::Good);
        sleep(10 * MINUTE).await;
    })
    .await;
    let scans = world.scans("s/meter");
    let newest = *scans.last().unwrap();
    assert!(newest > 7 * 24 * 60 && scans.len() >= 200, "{} rounds up to {newest}", scans.len());
    assert_eq!(
        scans,
        (newest + 1 - u64::try_from(scans.len()).unwrap()..=newest).collect::<Vec<_>>(),
        "in order, without a hole"
    );
    let delivery = counters.delivery();
    assert_eq!(delivery.published + delivery.dropped, newest * 5, "every message is accounted for");
    let tells: Value = serde_json::from_slice(world.words("s/site").last().unwrap().as_bytes()).unwrap();
    assert_eq!(tells["mqtt"]["dropped"].as_u64(), Some(delivery.dropped), "the loss is published");
    let first = world.seen[0].0;
    for second in 0..60 {
        let from = first + second * SECOND;
        let in_one = world.count_since(from, from + SECOND);
        assert!(in_one <= usize::try_from(DRAIN_PER_S_MIN).unwrap() + 2 * PER_ROUND + 2, "{in_one} in second {second}");
    }
    assert!(world.attempts.len() < 7 * 24 * 60 * 4 + 20, "an attempt every 15 s at most: {}", world.attempts.len());
    assert_eq!(world.alive_max, 1, "one connection at a time");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_takes_and_drops_connections_at_once_sees_no_storm_of_wills() {
    let (world, ..) = play(settings(1_000, 100), true, Broker::Drops(5), async |_| {
        sleep(60 * MINUTE).await;
    })
    .await;
    // pauses grow to between 15 and 30 s
    assert!((120..260).contains(&world.attempts.len()), "{} connections in an hour", world.attempts.len());
    assert_eq!(world.alive_max, 1);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_answers_nothing_is_left_and_tried_again() {
    let (world, ..) = play(settings(1_000, 100), true, Broker::Silent, async |world| {
        sleep(MINUTE).await;
        set(&world, Broker::Good);
        sleep(MINUTE).await;
    })
    .await;
    assert!(world.attempts.len() >= 4 && world.cut >= 3, "{} attempts", world.attempts.len());
    assert_eq!(world.alive_max, 1);
    assert_eq!(world.words("s/state"), ["online", "offline"]);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_acknowledges_nothing_is_left_after_the_keep_alive_and_gets_it_all_again() {
    let (world, counters, _) = play(settings(1_000, 1_000), true, Broker::Mute, async |world| {
        sleep(30 * SECOND + HALF / 2).await;
        assert_eq!(world.borrow().cut, 1, "left after 30 s");
        assert_eq!(world.borrow().seen.len(), UNDER_WAY_MAX, "no more than the window is under way");
        set(&world, Broker::Good);
        sleep(MINUTE).await;
    })
    .await;
    let mut scans = world.scans("s/meter");
    scans.drain(..3); // under way on the mute connection
    assert_eq!(scans, (1..=91).collect::<Vec<_>>());
    assert_eq!(counters.delivery().dropped, 0);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_dies_while_there_is_nothing_to_say_is_noticed() {
    let (world, ..) = play(settings(3_600_000, 100), true, Broker::Dies(600_000), async |world| {
        sleep(11 * MINUTE).await;
        assert_eq!(world.borrow().cut, 1, "within two keep-alives");
    })
    .await;
    let probes = world.words("s/state").iter().filter(|word| *word == "online").count();
    assert!((20..=24).contains(&probes), "probed once per keep-alive: {probes}");
}

#[tokio::test(start_paused = true)]
async fn a_first_snapshot_that_comes_late_is_shown_soon_however_long_a_round_is() {
    let (layout, words) = site();
    let settings = settings(3_600_000, 100);
    let groups = Groups::new(layout, &settings.prefix);
    let (world, began) = (Shared::default(), Instant::now());
    set(&world, Broker::Good);
    let read = move |to: &mut [u64]| {
        to.copy_from_slice(&words);
        (began.elapsed() > 5 * SECOND).then_some(1)
    };
    let connect = Script { world: Rc::clone(&world), began };
    let session = Session::new(settings, groups, connect, read, Arc::default(), 7);
    let (_stop, stopped) = oneshot::channel();
    let _ = tokio::time::timeout(7 * SECOND, session.run(stopped)).await;
    assert_eq!(world.borrow().scans("s/meter"), [100]);
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_stands_still_is_not_told_as_news() {
    let (world, ..) = play(settings(1_000, 100), false, Broker::Good, async |_| {
        sleep(MINUTE).await;
    })
    .await;
    assert_eq!(world.scans("s/meter"), [1]);
}

#[tokio::test(start_paused = true)]
async fn what_a_broker_refuses_is_counted_and_not_offered_again() {
    let (world, counters, _) = play(settings(1_000, 100), true, Broker::Refuses, async |_| {
        sleep(10 * SECOND - HALF).await;
    })
    .await;
    assert_eq!(world.scans("s/meter"), (1..=10).collect::<Vec<_>>());
    let Delivery { published, refused, queued, .. } = counters.delivery();
    assert_eq!((published, refused, queued), (0, 50, 0));
    assert_eq!(world.attempts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_takes_small_packets_only_is_never_sent_a_large_one() {
    let (world, counters, _) = play(settings(1_000, 100), true, Broker::Small(150), async |_| {
        sleep(10 * SECOND - HALF).await;
    })
    .await;
    assert_eq!(world.oversized, 0);
    assert!(!world.scans("s/panel").is_empty() && world.words("s/site").is_empty() && world.words("s/meta").is_empty());
    assert_eq!(counters.delivery().published + counters.delivery().refused, 50);
    assert_eq!(world.attempts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_within_its_bound_even_if_the_broker_answers_nothing() {
    for (broker, said_offline) in [(Broker::Mute, true), (Broker::Silent, false), (Broker::Away, false)] {
        let (world, _, took) = play(settings(1_000, 100), true, broker, async |_| {
            sleep(10 * SECOND - HALF).await;
        })
        .await;
        assert!(took <= Duration::from_millis(2_001), "{broker:?}: {took:?}");
        assert_eq!(world.words("s/state").contains(&"offline".to_owned()), said_offline, "{broker:?}");
    }
}
