//! Which registers are read together: few requests, none of which the device refuses.
//!
//! A block never splits a value or a synchronised group, never reads a forbidden register, is never longer than the
//! device allows, and reads across a hole only as far as it allows. What stands in one block is of one moment.

use super::pdu::{Area, Request};
use serde::Deserialize;

/// How often something is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub enum Poll {
    /// At every poll of the device.
    Fast,
    /// Every second, or at every poll if that is slower.
    Normal,
    /// Every ten seconds, or at every poll if that is slower.
    Slow,
    /// On connecting, and every hour after that, so that its age stays bounded.
    Once,
}

impl Poll {
    /// The time between two reads on a device that is polled every `poll_ms`, ms.
    #[must_use]
    pub const fn period_ms(self, poll_ms: u32) -> u32 {
        let least = match self {
            Self::Fast => 0,
            Self::Normal => 1_000,
            Self::Slow => 10_000,
            Self::Once => 3_600_000,
        };
        if poll_ms > least { poll_ms } else { least }
    }
}

/// Something to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Which address space.
    pub area: Area,
    /// The first address.
    pub at: u16,
    /// How many addresses; they are never split.
    pub len: u16,
    /// How often.
    pub poll: Poll,
    /// Items with the same number are read in one request.
    pub sync: Option<u16>,
    /// Items of different regions are never read in one request (SunSpec models).
    pub region: u16,
}

/// A range of addresses that must not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forbidden {
    /// Which address space.
    pub area: Area,
    /// The first address.
    pub first: u16,
    /// The last address.
    pub last: u16,
}

/// What a device takes in one read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most registers.
    pub registers_max: u16,
    /// Most registers between two values that may be read though nobody wants them; 0 if the device refuses holes.
    pub gap_max: u16,
    /// A read must stay within a group of so many addresses, counted from 0. 0: there are no groups.
    pub aligned: u16,
    /// What must not be read.
    pub forbidden: Vec<Forbidden>,
}

impl Limits {
    fn most(&self, area: Area) -> u32 {
        let most = if area.is_bits() { u32::from(self.registers_max) * 16 } else { u32::from(self.registers_max) };
        let protocol = u32::from(area.read_max());
        if most < protocol { most } else { protocol }
    }

    fn forbids(&self, area: Area, first: u32, end: u32) -> Option<u16> {
        let hit =
            self.forbidden.iter().find(|f| f.area == area && u32::from(f.first) < end && first <= u32::from(f.last));
        hit.map(|f| f.first)
    }

    /// Whether `first..end` is one read that the device takes.
    fn takes(&self, area: Area, first: u32, end: u32) -> bool {
        let aligned = u32::from(self.aligned);
        end - first <= self.most(area) && (aligned == 0 || first / aligned == (end - 1) / aligned)
    }
}

/// One read request, and where in its answer everything stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Which address space.
    pub area: Area,
    /// The first address.
    pub at: u16,
    /// How many addresses.
    pub len: u16,
    /// How often.
    pub poll: Poll,
    /// What is in it.
    pub members: Box<[Member]>,
}

impl Block {
    /// The request that reads it.
    #[must_use]
    pub fn request(&self) -> Request<'static> {
        Request::Read { area: self.area, at: self.at, count: self.len }
    }
}

/// An item's place in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which item, as an index into those that were planned.
    pub item: usize,
    /// Its first register, counted from the block's.
    pub offset: u16,
}

/// Why there is no way to read something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No registers, or beyond address 65535.
    #[error("{len} addresses from {at:#06x} on do not exist")]
    Address {
        /// The item.
        item: usize,
        /// Its first address.
        at: u16,
        /// How many.
        len: u16,
    },
    /// Longer than the device answers at once, or across one of its groups.
    #[error("{len} addresses from {at:#06x} on do not fit one read of this device")]
    TooLong {
        /// The item, or the first of its synchronised group.
        item: usize,
        /// Its first address.
        at: u16,
        /// How many.
        len: u32,
    },
    /// It lies on a forbidden register, or its synchronised group spans one.
    #[error("reading from {at:#06x} on touches the forbidden range that begins at {forbidden:#06x}")]
    Forbidden {
        /// The item, or the first of its synchronised group.
        item: usize,
        /// Its first address.
        at: u16,
        /// Where the forbidden range begins.
        forbidden: u16,
    },
    /// Members of a synchronised group are in different areas, poll classes or models.
    #[error("a synchronised group must lie in one area, one poll class and one model")]
    Mixed {
        /// The item that differs from the first of its group.
        item: usize,
    },
    /// A synchronised group leaves a hole that the device would refuse.
    #[error("a synchronised group leaves a hole of {hole} addresses, this device takes {gap_max}")]
    Hole {
        /// The first item of the group.
        item: usize,
        /// How long the hole is.
        hole: u32,
        /// How long it may be.
        gap_max: u16,
    },
}

/// An item, or a synchronised group, as one piece.
struct Piece {
    key: (Area, Poll, u16),
    first: u32,
    end: u32,
    items: Vec<usize>,
}

/// Plans the reads for `items`. Blocks are in the order of area, poll class, region and address.
///
/// # Errors
/// The first item that cannot be read within the device's limits.
pub fn plan(items: &[Item], limits: &Limits) -> Result<Vec<Block>, PlanError> {
    let mut pieces = pieces(items, limits)?;
    pieces.sort_by_key(|p| (p.key, p.first, p.end));
    let mut joined: Vec<Piece> = Vec::new();
    for piece in pieces {
        match joined.last_mut() {
            Some(last) if joins(last, &piece, limits) => {
                last.end = if piece.end > last.end { piece.end } else { last.end };
                last.items.extend(piece.items);
            }
            _ => joined.push(piece),
        }
    }
    joined.into_iter().map(|piece| block(piece, items, limits)).collect()
}

fn joins(last: &Piece, next: &Piece, limits: &Limits) -> bool {
    let end = if next.end > last.end { next.end } else { last.end };
    last.key == next.key
        && next.first <= last.end + u32::from(limits.gap_max)
        && limits.takes(last.key.0, last.first, end)
        && limits.forbids(last.key.0, last.first, end).is_none()
}

fn pieces(items: &[Item], limits: &Limits) -> Result<Vec<Piece>, PlanError> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let (first, end) = (u32::from(item.at), u32::from(item.at) + u32::from(item.len));
        if item.len == 0 || end > 0x1_0000 {
            return Err(PlanError::Address { item: index, at: item.at, len: item.len });
        }
        let key = (item.area, item.poll, item.region);
        let group = item.sync.and_then(|sync| pieces.iter_mut().find(|p| items[p.items[0]].sync == Some(sync)));
        match group {
            Some(group) if group.key != key => return Err(PlanError::Mixed { item: index }),
            Some(group) => {
                group.first = if first < group.first { first } else { group.first };
                group.end = if end > group.end { end } else { group.end };
                group.items.push(index);
            }
            None => pieces.push(Piece { key, first, end, items: vec![index] }),
        }
    }
    for p in &pieces {
        let (item, at) = (p.items[0], address(p.first));
        if !limits.takes(p.key.0, p.first, p.end) {
            return Err(PlanError::TooLong { item, at, len: p.end - p.first });
        }
        if let Some(forbidden) = limits.forbids(p.key.0, p.first, p.end) {
            return Err(PlanError::Forbidden { item, at, forbidden });
        }
    }
    Ok(pieces)
}

fn block(piece: Piece, items: &[Item], limits: &Limits) -> Result<Block, PlanError> {
    let mut members: Vec<Member> = Vec::with_capacity(piece.items.len());
    for item in piece.items {
        let offset = address(u32::from(items[item].at) - piece.first);
        members.push(Member { item, offset });
    }
    members.sort_by_key(|m| (m.offset, m.item));
    let mut covered = 0;
    for m in &members {
        let hole = u32::from(m.offset).saturating_sub(covered);
        if hole > u32::from(limits.gap_max) {
            return Err(PlanError::Hole { item: across(&members, items, covered), hole, gap_max: limits.gap_max });
        }
        let end = u32::from(m.offset) + u32::from(items[m.item].len);
        covered = if end > covered { end } else { covered };
    }
    let (area, poll, _) = piece.key;
    Ok(Block { area, at: address(piece.first), len: address(piece.end - piece.first), poll, members: members.into() })
}

/// The first member of the group that spans the hole before `covered`: single items are joined only over holes that the
/// device takes.
fn across(members: &[Member], items: &[Item], covered: u32) -> usize {
    let (before, behind): (Vec<&Member>, Vec<&Member>) = members.iter().partition(|m| u32::from(m.offset) < covered);
    let spans = |m: &&&Member| {
        let sync = items[m.item].sync;
        sync.is_some() && behind.iter().any(|b| items[b.item].sync == sync)
    };
    before.iter().find(spans).map_or(members[0].item, |m| m.item)
}

/// An address or a count of addresses that was checked.
fn address(n: u32) -> u16 {
    u16::try_from(n).expect("items end below 65 536 and a read takes at most 2000 addresses")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { registers_max: 50, gap_max: 8, aligned: 0, forbidden: Vec::new() };

    fn item(at: u16, len: u16) -> Item {
        Item { area: Area::Holding, at, len, poll: Poll::Fast, sync: None, region: 0 }
    }

    fn spans(items: &[Item], limits: &Limits) -> Vec<(u16, u16)> {
        plan(items, limits).expect("a plan").iter().map(|b| (b.at, b.len)).collect()
    }

    #[test]
    fn neighbours_are_read_together_and_distant_ones_are_not() {
        assert_eq!(
            spans(&[item(0, 2), item(0x28, 2), item(2, 4), item(14, 1), item(24, 1)], &LIMITS),
            [(0, 15), (24, 1), (0x28, 2)]
        );
        assert_eq!(spans(&[item(0, 2), item(3, 2)], &Limits { gap_max: 0, ..LIMITS }), [(0, 2), (3, 2)]);
    }

    #[test]
    fn every_value_knows_its_offset() {
        let blocks = plan(&[item(0x28, 2), item(0x24, 2)], &LIMITS).expect("a plan");
        assert_eq!(*blocks[0].members, [Member { item: 1, offset: 0 }, Member { item: 0, offset: 4 }]);
        assert_eq!(blocks[0].request(), Request::Read { area: Area::Holding, at: 0x24, count: 6 });
    }

    #[test]
    fn a_value_is_never_split() {
        assert_eq!(spans(&[item(0, 48), item(48, 4)], &LIMITS), [(0, 48), (48, 4)]);
        let refused = plan(&[item(0, 51)], &LIMITS);
        assert_eq!(refused, Err(PlanError::TooLong { item: 0, at: 0, len: 51 }));
    }

    #[test]
    fn areas_poll_classes_and_regions_are_read_apart() {
        let other = |area, poll, region| Item { area, poll, region, ..item(1, 1) };
        let items = [
            item(0, 1),
            other(Area::Input, Poll::Fast, 0),
            other(Area::Holding, Poll::Slow, 0),
            other(Area::Holding, Poll::Fast, 1),
        ];
        assert_eq!(plan(&items, &LIMITS).expect("a plan").len(), 4);
    }

    #[test]
    fn a_synchronised_group_is_one_request_or_an_error() {
        let sync = |at, poll| Item { sync: Some(1), poll, ..item(at, 1) };
        // without the group, the block would end at 49 and 50 stand alone
        let items = [item(0, 20), item(20, 20), sync(48, Poll::Fast), sync(55, Poll::Fast), item(40, 8)];
        assert_eq!(spans(&items, &LIMITS), [(0, 48), (48, 8)]);
        let mixed = plan(&[sync(0, Poll::Fast), sync(1, Poll::Slow)], &LIMITS);
        assert_eq!(mixed, Err(PlanError::Mixed { item: 1 }));
        let hole = plan(&[sync(0, Poll::Fast), sync(20, Poll::Fast)], &LIMITS);
        assert_eq!(hole, Err(PlanError::Hole { item: 0, hole: 19, gap_max: 8 }));
        let behind_others = plan(&[item(0, 4), sync(4, Poll::Fast), sync(24, Poll::Fast)], &LIMITS);
        assert_eq!(behind_others, Err(PlanError::Hole { item: 1, hole: 19, gap_max: 8 }));
        assert_eq!(spans(&[sync(0, Poll::Fast), sync(20, Poll::Fast), item(8, 8)], &LIMITS), [(0, 21)]);
        let long = plan(&[sync(0, Poll::Fast), sync(60, Poll::Fast)], &LIMITS);
        assert_eq!(long, Err(PlanError::TooLong { item: 0, at: 0, len: 61 }));
    }

    #[test]
    fn a_forbidden_register_parts_its_neighbours_and_is_never_asked_for() {
        let forbidden = vec![Forbidden { area: Area::Holding, first: 4, last: 5 }];
        let limits = Limits { forbidden, ..LIMITS };
        assert_eq!(spans(&[item(0, 4), item(6, 2)], &limits), [(0, 4), (6, 2)]);
        let refused = plan(&[item(0, 1), item(3, 2)], &limits);
        assert_eq!(refused, Err(PlanError::Forbidden { item: 1, at: 3, forbidden: 4 }));
        let elsewhere = Item { area: Area::Input, ..item(4, 2) };
        assert_eq!(spans(&[elsewhere], &limits), [(4, 2)]);
    }

    #[test]
    fn a_read_stays_within_its_aligned_group() {
        let limits = Limits { aligned: 40, ..LIMITS };
        assert_eq!(spans(&[item(0, 2), item(38, 2), item(34, 4), item(40, 2)], &limits), [(0, 2), (34, 6), (40, 2)]);
        assert!(matches!(plan(&[item(39, 2)], &limits), Err(PlanError::TooLong { .. })));
    }

    #[test]
    fn the_last_register_can_be_read_and_the_one_after_it_cannot() {
        assert_eq!(spans(&[item(65_535, 1)], &LIMITS), [(65_535, 1)]);
        for (at, len) in [(65_535, 2), (0, 0)] {
            assert_eq!(plan(&[item(at, len)], &LIMITS), Err(PlanError::Address { item: 0, at, len }));
        }
    }

    fn any_item() -> impl Strategy<Value = Item> {
        let area = prop::sample::select(vec![Area::Holding, Area::Input, Area::Discrete]);
        let poll = prop::sample::select(vec![Poll::Fast, Poll::Slow]);
        let sync = prop::option::weighted(0.2, 0u16..3);
        (area, 0u16..300, 1u16..=4, poll, sync, 0u16..2).prop_map(|(area, at, len, poll, sync, region)| Item {
            area,
            at,
            len,
            poll,
            sync,
            region,
        })
    }

    fn any_limits() -> impl Strategy<Value = Limits> {
        let forbidden =
            (0u16..300, 0u16..4).prop_map(|(first, n)| Forbidden { area: Area::Holding, first, last: first + n });
        (4u16..=125, 0u16..20, prop::sample::select(vec![0, 40]), prop::collection::vec(forbidden, 0..3)).prop_map(
            |(registers_max, gap_max, aligned, forbidden)| Limits { registers_max, gap_max, aligned, forbidden },
        )
    }

    proptest! {
        #[test]
        fn a_plan_keeps_every_rule(items in prop::collection::vec(any_item(), 0..40), limits in any_limits()) {
            let Ok(blocks) = plan(&items, &limits) else { return Ok(()) };
            let mut seen = vec![0; items.len()];
            let mut sync_blocks = std::collections::BTreeMap::new();
            for (index, block) in blocks.iter().enumerate() {
                let (at, end) = (u32::from(block.at), u32::from(block.at) + u32::from(block.len));
                prop_assert!(end - at <= limits.most(block.area));
                prop_assert!(block.request().encode(&mut super::super::Pdu::new()).is_ok());
                prop_assert!(limits.aligned == 0 || at / u32::from(limits.aligned) == (end - 1) / u32::from(limits.aligned));
                for f in limits.forbidden.iter().filter(|f| f.area == block.area) {
                    prop_assert!(!(block.at..=block.at + (block.len - 1)).any(|a| (f.first..=f.last).contains(&a)));
                }
                let mut wanted = vec![false; usize::from(block.len)];
                for m in &block.members {
                    let item = &items[m.item];
                    seen[m.item] += 1;
                    prop_assert_eq!((item.area, item.poll, item.at), (block.area, block.poll, block.at + m.offset));
                    wanted[usize::from(m.offset)..usize::from(m.offset + item.len)].fill(true);
                    if let Some(sync) = item.sync {
                        prop_assert_eq!(*sync_blocks.entry(sync).or_insert(index), index);
                    }
                }
                let longest_hole = wanted.split(|w| *w).map(<[bool]>::len).max().unwrap_or(0);
                prop_assert!(longest_hole <= usize::from(limits.gap_max));
                prop_assert!(wanted[0] && wanted[wanted.len() - 1]);
            }
            prop_assert!(seen.iter().all(|n| *n == 1), "{seen:?}");
        }

        #[test]
        fn only_a_forbidden_item_is_refused_as_such(items in prop::collection::vec(any_item(), 1..20), limits in any_limits()) {
            let alone: Vec<Item> = items.iter().map(|i| Item { sync: None, ..*i }).collect();
            let free = alone.iter().all(|i| limits.forbids(i.area, i.at.into(), u32::from(i.at) + u32::from(i.len)).is_none());
            let fits = alone.iter().all(|i| limits.takes(i.area, i.at.into(), u32::from(i.at) + u32::from(i.len)));
            prop_assert_eq!(plan(&alone, &limits).is_ok(), free && fits);
        }
    }
}
