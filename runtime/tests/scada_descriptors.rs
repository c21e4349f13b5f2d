//! File descriptors: many of them, and none left. One test, since the limit is the whole process's.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod scada_site;

use flyball_runtime::clock::VirtualClock;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, connect as join, socket};
use scada_site::sockets::*;
use scada_site::*;
use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;

const MANY: u64 = 3_000;

#[test]
fn descriptors_beyond_1023_are_served_and_without_any_left_the_old_connections_live_until_there_are_some() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if hard < MANY {
        println!("skipped: this process may have {hard} descriptors, {MANY} are needed");
        return;
    }
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(MANY), hard).unwrap();
    let mut ballast: Vec<File> = (0..1_100).map(|_| File::open("/dev/null").unwrap()).collect();
    let clock = VirtualClock::starting_at_ns(1);
    let site = start_with(&local_settings(), clock.clone());
    let SocketAddr::V4(to) = site.server.address() else { panic!("an IPv4 address") };
    let mut master = connect(site.server.address());
    assert_eq!(ask(&mut master, &read(3, 0, 1)), [3, 2, 0, 1]);

    let waiting = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    while let Ok(file) = File::open("/dev/null") {
        ballast.push(file);
    }
    join(waiting.as_raw_fd(), &SockaddrIn::from(to)).unwrap();
    let mut waiting = TcpStream::from(waiting);
    waiting.set_read_timeout(Some(SOON)).unwrap();
    for _ in 0..100 {
        assert_eq!(ask(&mut master, &read(3, 0, 1)), [3, 2, 0, 1]);
    }
    assert_eq!(site.server.counts().open, 1);
    assert!(ask(&mut master, &write(1_002, &pair(1.0))) == [0x90, 2], "nor did any right fall back");

    ballast.clear();
    clock.advance_ns(1_000_000_000);
    assert_eq!(ask(&mut master, &read(3, 0, 1)), [3, 2, 0, 1]);
    assert_eq!(ask(&mut waiting, &read(3, 0, 1)), [3, 2, 0, 1]);
    assert_eq!(site.server.counts().open, 2);
}
