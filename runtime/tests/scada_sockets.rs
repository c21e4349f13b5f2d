//! The server on real sockets: it answers, keeps its bounds, survives its clients, and stops when told to.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod scada_site;

use flyball_runtime::clock::{MonotonicClock, VirtualClock};
use flyball_runtime::scada::{Ports, Server, Settings, StartError};
use scada_site::sockets::*;
use scada_site::*;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};

#[test]
fn a_master_connects_reads_writes_and_sees_the_server_stop() {
    // an address that no other test listens on, so that nobody else takes the port meanwhile
    let site = start(&Settings { listen: "127.0.0.42:0".parse().unwrap(), ..local_settings() });
    let mut master = connect(site.server.address());
    assert_eq!(ask(&mut master, &read(3, 0, 2)), [3, 4, 0, 1, 0, 7]);
    assert_eq!(ask(&mut master, &write(1_000, &pair(1_234.5))), [16, 3, 232, 0, 2]);
    assert_eq!(ask(&mut master, &read(6, 900, 1)), [6, 3, 132, 0, 1]);
    assert_eq!(site.queue.taken(), [level(FIRST_SOURCE, 0, 1_234.5), renew(FIRST_SOURCE)]);
    site.board.publish(words(&header(8), &readings(8)));
    assert_eq!(ask(&mut master, &read(4, 0, 2)), [4, 4, 0, 1, 0, 8]);
    assert_eq!(ask(&mut master, &read(3, 900, 2)), [0x83, 2]);
    let counts = site.server.counts();
    assert_eq!((counts.accepted, counts.answered, counts.exceptions, counts.open), (1, 5, 1, 1));
    let address = site.server.address();
    assert!(site.server.is_running());
    site.server.stop();
    assert!(closed(master));
    assert!(TcpStream::connect_timeout(&address, SOON).is_err(), "nobody listens any more");
    assert!(TcpListener::bind(address).is_ok(), "and the port is free at once");
}

#[test]
fn dropping_the_server_stops_it_too() {
    let site = start(&local_settings());
    let master = connect(site.server.address());
    drop(site);
    assert!(closed(master));
}

#[test]
fn requests_cut_and_joined_at_will_are_answered_in_order() {
    let site = start(&local_settings());
    let mut master = connect(site.server.address());
    let stream: Vec<u8> = (0..100).flat_map(|tid| adu(tid, 1, &read(3, 0, 1))).collect();
    master.write_all(&stream).unwrap();
    for tid in 0u16..100 {
        let mut frame = [0; 11];
        master.read_exact(&mut frame).unwrap();
        assert_eq!(frame[..2], tid.to_be_bytes());
    }
    let request = adu(500, 1, &read(3, 0, 1));
    master.set_nodelay(true).unwrap();
    for byte in &request {
        master.write_all(&[*byte]).unwrap();
    }
    assert_eq!(answer(&mut master), [3, 2, 0, 1]);
}

#[test]
fn a_master_that_ends_its_side_after_asking_gets_all_its_answers() {
    let site = start(&local_settings());
    let mut master = connect(site.server.address());
    master.write_all(&adu(1, 1, &read(3, 0, 1)).repeat(50)).unwrap();
    master.shutdown(std::net::Shutdown::Write).unwrap();
    let mut all = Vec::new();
    master.read_to_end(&mut all).unwrap();
    assert_eq!(all, adu(1, 1, &[3, 2, 0, 1]).repeat(50));
}

#[test]
fn the_sixty_fifth_connection_is_refused_and_the_sixty_four_live() {
    let site = start(&Settings { writers: Vec::new(), ..settings() });
    let to = site.server.address();
    let mut crowd: Vec<TcpStream> = (0..64).map(|i| connect_from(1 + i / 32, to)).collect();
    for client in &mut crowd {
        assert_eq!(ask(client, &read(3, 0, 1)), [3, 2, 0, 1]);
    }
    assert!(closed(connect_from(3, to)), "an orderly end, not a time-out");
    for client in &mut crowd {
        assert_eq!(ask(client, &read(3, 0, 1)), [3, 2, 0, 1]);
    }
    let counts = site.server.counts();
    assert_eq!((counts.open, counts.accepted, counts.refused), (64, 64, 1));
    drop(crowd.pop());
    eventually(&site, &mut crowd[0], |c| c.open == 63);
    assert_eq!(ask(&mut connect_from(3, to), &read(3, 0, 1)), [3, 2, 0, 1], "a slot that is free again is given out");
}

#[test]
fn a_peer_on_no_list_is_let_go_and_a_reader_reads() {
    let reader = IpAddr::from([127, 0, 0, 5]);
    let everywhere = Settings { listen: "0.0.0.0:0".parse().unwrap(), readers: vec![reader], ..local_settings() };
    let site = start(&everywhere);
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, site.server.address().port()));
    assert!(closed(connect_from(9, to)), "not even this machine, once the server listens for all");
    let mut listed = connect_from(5, to);
    assert_eq!(ask(&mut listed, &read(3, 0, 1)), [3, 2, 0, 1]);
    assert_eq!(ask(&mut listed, &write(1_000, &pair(1.0))), [0x90, 1]);
    assert_eq!(ask(&mut connect_from(1, to), &write(1_000, &pair(1.0))), [16, 3, 232, 0, 2]);
    let counts = site.server.counts();
    assert_eq!((counts.accepted, counts.refused), (2, 1));
}

#[test]
fn a_flood_of_connections_displaces_itself_and_not_the_writer() {
    let site = start(&local_settings());
    let to = site.server.address();
    let mut master = connect(to);
    let mut flood = Vec::new();
    for _ in 0..500 {
        flood.push(connect_from(66, to));
        assert_eq!(ask(&mut master, &read(3, 0, 1)), [3, 2, 0, 1]);
    }
    let counts = eventually(&site, &mut master, |c| c.accepted == 501);
    assert_eq!((counts.open, counts.displaced, counts.refused), (33, 468, 0));
    assert!(closed(flood.remove(0)), "the oldest had to go");
}

#[test]
fn a_client_that_speaks_something_else_is_dropped_and_the_others_are_not() {
    let site = start(&local_settings());
    let mut master = connect(site.server.address());
    let mut browser = connect(site.server.address());
    browser.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(closed(browser));
    let counts = eventually(&site, &mut master, |c| c.dropped == 1);
    assert_eq!(counts.open, 1);
}

#[test]
fn a_client_that_resets_after_half_a_header_leaves_no_trace() {
    let site = start(&local_settings());
    let mut master = connect(site.server.address());
    for _ in 0..20 {
        let mut rude = connect(site.server.address());
        rude.write_all(&[0, 1, 0]).unwrap();
        nix::sys::socket::setsockopt(&rude, nix::sys::socket::sockopt::Linger, &linger_0()).unwrap();
        drop(rude);
    }
    assert_eq!(eventually(&site, &mut master, |c| c.accepted == 21 && c.open == 1).open, 1);
}

/// Closing sends a reset.
fn linger_0() -> nix::libc::linger {
    nix::libc::linger { l_onoff: 1, l_linger: 0 }
}

#[test]
fn a_client_that_sends_half_a_request_is_closed_when_its_time_is_over_and_the_others_are_served() {
    let clock = VirtualClock::starting_at_ns(1);
    let site = start_with(&local_settings(), clock.clone());
    let mut master = connect(site.server.address());
    let mut slow = connect(site.server.address());
    slow.write_all(&adu(1, 1, &read(3, 0, 1))[..5]).unwrap();
    eventually(&site, &mut master, |c| c.open == 2);
    clock.advance_ns(999_000_000);
    assert_eq!(ask(&mut master, &read(3, 0, 1)), [3, 2, 0, 1]);
    assert_eq!(site.server.counts().dropped, 0);
    clock.advance_ns(1_000_000_000);
    assert_eq!(ask(&mut master, &read(3, 0, 1)), [3, 2, 0, 1]);
    assert!(closed(slow));
    clock.advance_ns(60_000_000_000);
    let mut late = connect(site.server.address());
    assert!(closed(master), "idle since a minute");
    assert_eq!(ask(&mut late, &read(3, 0, 1)), [3, 2, 0, 1]);
}

#[test]
fn the_server_wakes_by_itself_for_a_deadline() {
    let site = start(&local_settings());
    let mut slow = connect(site.server.address());
    slow.write_all(&[0]).unwrap();
    assert!(closed(slow), "with nobody else to wake it");
}

#[test]
fn a_client_that_asks_and_never_listens_holds_up_nobody() {
    let site = start(&local_settings());
    let mut deaf = connect(site.server.address());
    deaf.set_nonblocking(true).unwrap();
    let requests = adu(1, 1, &read(3, 20_000, 40)).repeat(100);
    let mut sent = 0usize;
    let full = loop {
        match deaf.write(&requests) {
            Ok(bytes) => sent += bytes,
            Err(e) => break e.kind(),
        }
        assert!(sent < 100_000_000, "the server takes requests for ever");
    };
    assert_eq!(full, ErrorKind::WouldBlock);
    let mut master = connect(site.server.address());
    for _ in 0..100 {
        assert_eq!(ask(&mut master, &read(3, 0, 1)), [3, 2, 0, 1]);
    }
}

#[test]
fn a_port_in_use_is_said_in_one_sentence_with_the_remedy() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = holder.local_addr().unwrap();
    let settings = Settings { listen, ..settings() };
    let ports = Ports { published: Board::default(), commands: Queue::of(1), clock: MonotonicClock, first_source: 0 };
    let error = Server::start(layout(), &settings, ports).unwrap_err();
    assert!(matches!(error, StartError::PortInUse { listen: at } if at == listen));
    let sentence = error.to_string();
    assert!(sentence.contains(&listen.to_string()) && sentence.contains("stop the other program"), "{sentence}");
}

#[test]
fn an_address_that_is_not_here_and_impossible_settings_are_said_too() {
    let start = |settings: Settings| {
        let ports =
            Ports { published: Board::default(), commands: Queue::of(1), clock: MonotonicClock, first_source: 0 };
        Server::start(layout(), &settings, ports).unwrap_err().to_string()
    };
    let elsewhere = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 77), 1502));
    assert!(start(Settings { listen: elsewhere, ..settings() }).contains("no such address"));
    assert!(start(Settings { connections_max: 0, ..settings() }).contains("`connections_max`"));
}
