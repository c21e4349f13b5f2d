use super::*;
use proptest::prelude::*;

fn message(n: u32, bytes: usize) -> Message {
    let mut payload = vec![b' '; bytes.saturating_sub(4)];
    payload.extend_from_slice(&n.to_be_bytes());
    Message { topic: "t".into(), payload, retain: false }
}

fn number(message: &Message) -> u32 {
    let at = message.payload.len() - 4;
    u32::from_be_bytes(message.payload[at..].try_into().unwrap())
}

fn push_all(queue: &mut Queue, numbers: std::ops::Range<u32>) {
    numbers.for_each(|n| queue.push(message(n, 4)));
}

fn send_all(queue: &mut Queue) -> Vec<(u64, u32)> {
    let mut sent = Vec::new();
    while let Some((seq, message)) = queue.next() {
        sent.push((seq, number(message)));
        queue.sent();
    }
    sent
}

#[test]
fn the_oldest_goes_first_and_is_counted() {
    let mut queue = Queue::new(3, 1 << 20);
    push_all(&mut queue, 0..5);
    assert_eq!(queue.dropped(), 2);
    assert_eq!(send_all(&mut queue), [(2, 2), (3, 3), (4, 4)]);
}

#[test]
fn bytes_are_bounded_as_well_as_messages() {
    let bound = 3 * (COST_BYTES + 1 + 100);
    let mut queue = Queue::new(1_000, bound);
    (0..10).for_each(|n| queue.push(message(n, 100)));
    assert_eq!((queue.len(), queue.bytes(), queue.dropped()), (3, bound, 7));
    queue.push(message(10, bound));
    assert_eq!((queue.len(), queue.refused()), (3, 1), "one that never fits does not push the others out");
}

#[test]
fn a_message_leaves_only_when_it_was_acknowledged() {
    let mut queue = Queue::new(10, 1 << 20);
    push_all(&mut queue, 0..3);
    assert_eq!(send_all(&mut queue).len(), 3);
    assert_eq!(queue.len(), 3);
    queue.delivered(0);
    assert_eq!(queue.len(), 2);
    queue.fit(None);
    assert_eq!(send_all(&mut queue), [(1, 1), (2, 2)], "what was not acknowledged is sent again, in order");
}

#[test]
fn an_acknowledgement_for_a_dropped_message_does_nothing() {
    let mut queue = Queue::new(2, 1 << 20);
    push_all(&mut queue, 0..2);
    send_all(&mut queue);
    push_all(&mut queue, 2..4);
    queue.delivered(0);
    queue.delivered(1);
    assert_eq!(send_all(&mut queue), [(2, 2), (3, 3)]);
    queue.delivered(2);
    assert_eq!(queue.len(), 1);
}

#[test]
fn what_the_broker_refuses_is_not_offered_again() {
    let mut queue = Queue::new(10, 1 << 20);
    push_all(&mut queue, 0..2);
    send_all(&mut queue);
    queue.refuse(0);
    queue.fit(None);
    assert_eq!(send_all(&mut queue), [(1, 1)]);
    assert_eq!(queue.refused(), 1);
}

#[test]
fn what_is_too_large_for_the_broker_is_refused_before_it_can_end_a_connection() {
    let mut queue = Queue::new(10, 1 << 20);
    queue.push(message(0, 50));
    queue.push(message(1, 5_000));
    queue.push(message(2, 50));
    queue.fit(Some(1_000));
    queue.push(message(3, 5_000));
    assert_eq!(send_all(&mut queue), [(1, 0), (2, 2)]);
    assert_eq!(queue.refused(), 2);
    queue.fit(None);
    queue.push(message(4, 5_000));
    assert_eq!(queue.len(), 3, "the next broker may take more");
}

#[test]
fn a_pace_allows_its_burst_and_then_its_rate() {
    let mut pace = Pace::new(10, 5);
    let at = Duration::from_secs(100);
    assert_eq!((0..20).filter(|_| pace.take(at)).count(), 5);
    assert_eq!(pace.next(), at + Duration::from_millis(100));
    let in_ten_seconds = (1..=10_000).filter(|ms| pace.take(at + Duration::from_millis(*ms))).count();
    assert_eq!(in_ten_seconds, 100);
}

proptest! {
    #[test]
    fn whatever_happens_bounds_hold_order_holds_and_nothing_is_lost_uncounted(
        messages_max in 1usize..8,
        bytes_max in 0usize..2_000,
        steps in proptest::collection::vec((0u8..6, 0usize..300), 0..200),
    ) {
        let mut queue = Queue::new(messages_max, bytes_max);
        let (mut pushed, mut done, mut on_the_wire) = (0u32, 0u64, VecDeque::new());
        let mut newest_seen = None;
        for (what, size) in steps {
            match what {
                0..=2 => {
                    queue.push(message(pushed, size));
                    pushed += 1;
                }
                3 => {
                    if let Some((seq, message)) = queue.next() {
                        let n = number(message);
                        prop_assert!(on_the_wire.back().is_none_or(|(_, before)| *before < n), "order on one connection");
                        on_the_wire.push_back((seq, n));
                        queue.sent();
                    }
                }
                4 => {
                    if let Some((seq, n)) = on_the_wire.pop_front() {
                        let before = queue.len();
                        queue.delivered(seq);
                        done += u64::try_from(before - queue.len()).unwrap();
                        prop_assert!(newest_seen.is_none_or(|seen| seen < n), "acknowledged twice or out of order");
                        newest_seen = Some(n);
                    }
                }
                _ => {
                    queue.fit(None);
                    on_the_wire.clear();
                }
            }
            prop_assert!(queue.len() <= messages_max && queue.bytes() <= bytes_max);
            let accounted = u64::try_from(queue.len()).unwrap() + queue.dropped() + queue.refused() + done;
            prop_assert_eq!(accounted, u64::from(pushed));
        }
    }

    #[test]
    fn no_second_sees_more_than_rate_and_burst(per_s in 1u32..50, burst in 1u32..20, gaps in proptest::collection::vec(0u64..200, 1..500)) {
        let mut pace = Pace::new(per_s, burst);
        let mut now = Duration::ZERO;
        let mut taken: Vec<Duration> = Vec::new();
        for gap in gaps {
            now += Duration::from_millis(gap);
            if pace.take(now) {
                taken.push(now);
            }
        }
        for (i, start) in taken.iter().enumerate() {
            let within = taken[i..].iter().take_while(|t| **t < *start + Duration::from_secs(1)).count();
            prop_assert!(within <= usize::try_from(per_s + burst).unwrap());
        }
    }
}
