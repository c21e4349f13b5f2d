//! Splitting a block that the device refuses, so that one register it does not have costs one value and not all.

use super::bound::{Bound, ReadBlock, ReadPart, ReadWhat};
use crate::modbus::Request;

impl Bound {
    /// Splits a block in two, as near to its middle as its values allow. The first half takes the block's place, the
    /// second becomes a block behind all others; its index is given. `sync` is the synchronised group of a point: points
    /// of one group, and values that share a register, stay together. `None`: there is nothing to split.
    ///
    /// # Panics
    /// If there is no such block.
    pub fn split_block(&mut self, block: usize, sync: impl Fn(usize) -> Option<u16>) -> Option<usize> {
        let whole = &self.blocks[block];
        let Request::Read { area, at, .. } = whole.request else { return None };
        let mut parts = whole.parts.to_vec();
        parts.sort_by_key(|part| (part.offset, part.len));
        let cuts = (1..parts.len()).filter(|cut| may_cut(&parts, *cut, &sync));
        let cut = cuts.min_by_key(|cut| cut.abs_diff(parts.len() / 2))?;
        let second = parts.split_off(cut);
        let poll = whole.poll;
        let half = |parts: Vec<ReadPart>| {
            let first = parts.first().map_or(0, |part| part.offset);
            let end = parts.iter().map(|part| part.offset + part.len).max().unwrap_or(first);
            let parts = parts.into_iter().map(|part| ReadPart { offset: part.offset - first, ..part });
            let request = Request::Read { area, at: at + first, count: end - first };
            ReadBlock { request, poll, parts: parts.collect() }
        };
        let mut blocks = std::mem::take(&mut self.blocks).into_vec();
        blocks[block] = half(parts);
        blocks.push(half(second));
        self.blocks = blocks.into();
        Some(self.blocks.len() - 1)
    }
}

/// Whether nothing that belongs together stands on both sides of a cut before the part `cut`.
fn may_cut(parts: &[ReadPart], cut: usize, sync: impl Fn(usize) -> Option<u16>) -> bool {
    let (left, right) = parts.split_at(cut);
    let group = |part: &ReadPart| match part.what {
        ReadWhat::Point(point) => sync(usize::from(point)),
        ReadWhat::Factor(_) => None,
    };
    let torn = |part: &ReadPart| group(part).is_some_and(|g| right.iter().any(|r| group(r) == Some(g)));
    let end = left.iter().map(|part| part.offset + part.len).max().unwrap_or(0);
    right.iter().all(|part| part.offset >= end) && !left.iter().any(torn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modbus::{Area, Poll};

    fn bound(parts: &[(u16, u16)]) -> Bound {
        let parts: Vec<ReadPart> = parts
            .iter()
            .zip(0..)
            .map(|((offset, len), point)| ReadPart { offset: *offset, len: *len, what: ReadWhat::Point(point) })
            .collect();
        let request = Request::Read { area: Area::Holding, at: 100, count: 20 };
        let block = ReadBlock { request, poll: Poll::Fast, parts: parts.into() };
        Bound {
            points: [].into(),
            absent: [].into(),
            blocks: [block].into(),
            factors: [].into(),
            groups: [].into(),
            connect: [].into(),
            heartbeat: None,
            identity: [].into(),
            limits: [].into(),
            watchdog_ms: None,
        }
    }

    fn spans(bound: &Bound) -> Vec<(u16, u16, Vec<usize>)> {
        let span = |b: &ReadBlock| match b.request() {
            Request::Read { at, count, .. } => (at, count, b.points().collect()),
            _ => panic!("a block is a read"),
        };
        bound.blocks().iter().map(span).collect()
    }

    #[test]
    fn a_block_is_split_at_its_middle_and_nothing_is_asked_for_that_nobody_wants() {
        let mut bound = bound(&[(0, 2), (2, 2), (10, 2), (18, 2)]);
        assert_eq!(bound.split_block(0, |_| None), Some(1));
        assert_eq!(spans(&bound), [(100, 4, vec![0, 1]), (110, 10, vec![2, 3])]);
        assert_eq!(bound.split_block(1, |_| None), Some(2));
        assert_eq!(spans(&bound)[1..], [(110, 2, vec![2]), (118, 2, vec![3])]);
        assert_eq!(bound.split_block(2, |_| None), None, "one value is not split");
    }

    #[test]
    fn what_belongs_together_stays_together() {
        let mut synced = bound(&[(0, 1), (1, 1), (2, 1), (3, 1)]);
        let group = |point| [None, Some(1), Some(1), Some(1)][point];
        assert_eq!(synced.split_block(0, group), Some(1));
        assert_eq!(spans(&synced), [(100, 1, vec![0]), (101, 3, vec![1, 2, 3])]);
        assert_eq!(synced.split_block(1, group), None);
        let mut bits_of_one_register = bound(&[(0, 1), (0, 1), (0, 1)]);
        assert_eq!(bits_of_one_register.split_block(0, |_| None), None);
    }
}
