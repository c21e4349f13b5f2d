//! Which clients get a connection.
//!
//! Peers that are on no list do not. One slot is kept free for each writer that is not connected, so that a crowd of others cannot lock it out. A peer holds
//! at most half of all slots. A peer at its share, or that finds no slot, displaces its own quietest connection: a
//! master that lost power comes back at once, though its old connection still looks alive. Others are refused.

use super::settings::Settings;
use std::net::IpAddr;

/// Who may connect at all. Addresses are canonical: an IPv4 address is one, however the socket shows it.
#[derive(Clone, Debug)]
pub struct Guests {
    readers: Vec<IpAddr>,
    writers: Vec<IpAddr>,
    /// Whether the machine itself may read.
    local: bool,
}

impl Guests {
    /// As the settings list them.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            readers: settings.readers.iter().map(IpAddr::to_canonical).collect(),
            writers: settings.writers.iter().map(|w| w.peer.to_canonical()).collect(),
            local: settings.listen.ip().to_canonical().is_loopback(),
        }
    }

    /// Whether a peer is on a list, or is this machine and the server is only for it.
    #[must_use]
    pub fn invites(&self, peer: IpAddr) -> bool {
        self.local && peer.is_loopback() || self.writers.contains(&peer) || self.readers.contains(&peer)
    }
}

/// What becomes of a client at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It gets a free slot.
    Admit,
    /// It gets the slot of this connection of its own, which is closed.
    Displace(usize),
    /// There is no slot for it.
    Refuse,
}

/// Judges a client from `from`, a canonical address. `open` gives the slot, peer and time of the last request (ns) of every
/// open connection, `slots` is how many there can be.
pub fn judge(
    from: IpAddr,
    slots: usize,
    open: impl Iterator<Item = (usize, IpAddr, u64)> + Clone,
    guests: &Guests,
) -> Verdict {
    if !guests.invites(from) {
        return Verdict::Refuse;
    }
    let own = open.clone().filter(|(_, peer, _)| *peer == from);
    let absent = |writer: &&IpAddr| **writer != from && !open.clone().any(|(_, peer, _)| peer == **writer);
    let free = slots.saturating_sub(open.clone().count());
    if own.clone().count() < slots.div_ceil(2) && free > guests.writers.iter().filter(absent).count() {
        return Verdict::Admit;
    }
    own.min_by_key(|(_, _, asked_ns)| *asked_ns).map_or(Verdict::Refuse, |(slot, ..)| Verdict::Displace(slot))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn peer(n: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, n])
    }

    /// A house with slots, as the server keeps it.
    struct House {
        slots: Vec<Option<(IpAddr, u64)>>,
        guests: Guests,
        now_ns: u64,
    }

    impl House {
        fn new(slots: usize, writers: &[IpAddr]) -> Self {
            let guests = Guests { readers: Vec::new(), writers: writers.to_vec(), local: true };
            Self { slots: vec![None; slots], guests, now_ns: 0 }
        }

        fn knock(&mut self, from: IpAddr) -> Verdict {
            self.now_ns += 1;
            let open = self.slots.iter().enumerate().filter_map(|(i, s)| s.map(|(peer, asked)| (i, peer, asked)));
            let verdict = judge(from, self.slots.len(), open, &self.guests);
            let slot = match verdict {
                Verdict::Admit => self.slots.iter().position(Option::is_none).expect("there is a free slot"),
                Verdict::Displace(slot) => slot,
                Verdict::Refuse => return verdict,
            };
            self.slots[slot] = Some((from, self.now_ns));
            verdict
        }

        fn held_by(&self, from: IpAddr) -> usize {
            self.slots.iter().flatten().filter(|(peer, _)| *peer == from).count()
        }
    }

    #[test]
    fn a_peer_on_no_list_is_refused_and_this_machine_is_on_it_only_where_the_server_is_for_it_alone() {
        let [reader, writer] = ["192.0.2.7", "192.0.2.8"].map(|ip| ip.parse::<IpAddr>().unwrap());
        let guests = |local| Guests { readers: vec![reader], writers: vec![writer], local };
        let rows = [
            ("192.0.2.7", true, true),
            ("192.0.2.8", true, true),
            ("192.0.2.9", false, false),
            ("127.0.0.1", true, false),
            ("::1", true, false),
        ];
        for (peer, at_loopback, elsewhere) in rows {
            let peer = peer.parse().unwrap();
            assert_eq!((guests(true).invites(peer), guests(false).invites(peer)), (at_loopback, elsewhere), "{peer}");
        }
        let nobody = Guests { readers: Vec::new(), writers: Vec::new(), local: false };
        assert_eq!(judge(reader, 64, std::iter::empty(), &nobody), Verdict::Refuse, "empty lists mean nobody");
    }

    #[test]
    fn ten_thousand_attempts_of_one_peer_hold_half_the_slots_and_displace_their_own_oldest() {
        let mut house = House::new(64, &[]);
        house.knock(peer(1));
        for _ in 0..10_000 {
            assert_ne!(house.knock(peer(9)), Verdict::Refuse);
        }
        assert_eq!((house.held_by(peer(9)), house.held_by(peer(1))), (32, 1));
        assert_eq!(house.knock(peer(2)), Verdict::Admit);
    }

    #[test]
    fn the_sixty_fifth_connection_is_refused() {
        let mut house = House::new(64, &[]);
        for n in 1..=64 {
            assert_eq!(house.knock(peer(n)), Verdict::Admit);
        }
        assert_eq!(house.knock(peer(65)), Verdict::Refuse);
        assert_eq!(house.knock(peer(1)), Verdict::Displace(0), "a known peer may come back");
    }

    #[test]
    fn a_slot_stays_free_for_the_writer_however_many_others_come() {
        let mut house = House::new(8, &[peer(7)]);
        let admitted = (10..30).filter(|n| house.knock(peer(*n)) == Verdict::Admit).count();
        assert_eq!(admitted, 7);
        assert_eq!(house.knock(peer(7)), Verdict::Admit);
        assert_eq!(house.knock(peer(7)), Verdict::Displace(7), "its second connection takes the place of its first");
    }

    proptest! {
        #[test]
        fn every_absent_writer_always_finds_a_free_slot(slots in 1usize..12, writers in 0u8..6, moves in proptest::collection::vec((0u8..12, any::<bool>()), 0..200)) {
            let writers: Vec<IpAddr> = (0..writers).take(slots).map(peer).collect();
            let mut house = House::new(slots, &writers);
            for (n, comes) in moves {
                if comes {
                    house.knock(peer(n));
                } else if let Some(slot) = house.slots.get_mut(usize::from(n)) {
                    *slot = None;
                }
                let free = house.slots.iter().filter(|s| s.is_none()).count();
                let absent = writers.iter().filter(|w| house.held_by(**w) == 0).count();
                prop_assert!(free >= absent);
            }
        }
    }
}
