//! No client makes the server allocate, whatever it asks.

#![allow(unsafe_code, reason = "an allocator is unsafe by its trait; this one counts and passes on")]
#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod scada_site;

use flyball_runtime::scan::command::Command;
use scada_site::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; the counter is a plain cell of the calling thread, made
// without allocating.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        // SAFETY: the caller's obligations are passed on unchanged.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Allocations of this thread while `what` runs.
fn allocations(what: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    what();
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn no_request_of_a_writer_or_a_stranger_makes_the_server_allocate() {
    for peer in [DISPATCH, STRANGER] {
        let mut line = Line::from(peer);
        line.queue.0.lock().unwrap().0 = Vec::<Command>::with_capacity(10_000);
        let mut requests: Vec<Vec<u8>> = (0..=255).map(|function| adu(1, 1, &read(function, 1_000, 2))).collect();
        requests.extend(
            [read(3, 0, 25), read(4, 20_000, 40), read(1, 0, 10), read(2, 10_000, 10)].map(|pdu| adu(2, 1, &pdu)),
        );
        requests.extend(
            [write(1_000, &pair(1.0)), write(1_004, &[0, 0, 0, 0]), read(6, 900, 5)].map(|pdu| adu(3, 1, &pdu)),
        );
        requests.extend([
            adu(4, 1, &[15, 0, 6, 0, 2, 1, 3]),
            adu(5, 9, &[3]),
            adu(6, 1, &[16, 0, 0, 0, 9, 255]),
            vec![255; 300],
        ]);
        for request in requests {
            let mut answered = 0;
            line.reconnect(peer);
            let made = allocations(|| {
                let room = line.connection.spare();
                let bytes = room.len().min(request.len());
                room[..bytes].copy_from_slice(&request[..bytes]);
                line.connection.received(bytes, 0);
                line.station.turn();
                let station = &mut line.station;
                line.connection.turn(0, |frame, peer, reply| station.serve(frame, peer, 0, reply));
                answered = line.connection.outgoing().len();
            });
            assert_eq!(made, 0, "{request:02x?}, answered with {answered} bytes");
        }
    }
}

#[test]
fn the_count_sees_an_allocation() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(5)))), 1);
}
