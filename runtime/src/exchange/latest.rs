//! One writer, one reader: the latest value of a block of words (a triple buffer).
//!
//! **Guarantees** that both ends are wait-free: neither ever retries, so that the scan can take the newest block of a
//! device while the field thread is stopped anywhere. A block is whole: all its words come from one publication. Blocks
//! nobody fetched are overwritten by newer ones. **When the writer is lost** the reader keeps its last block and
//! [`Reader::update`] returns false: the age of the block is the scan's to judge.
//!
//! Of three buffers the writer owns one, the reader owns one, and the third lies in the middle. Each end swaps its own
//! with the one in the middle. The orderings of the two swaps:
//!
//! - the writer's release / the reader's acquire: the words were written before the reader sees the buffer.
//!   loom finds the loss of either (tests below).
//! - the reader's release / the writer's acquire: the words were read before the writer overwrites the buffer. loom
//!   does not let a load see a store that comes later in its own order of execution, so it cannot find the loss of
//!   these: they stand by argument.

use super::sync::{Arc, AtomicU8, AtomicU64, Ordering, zeroed};

/// Set in `middle` when the buffer there was published and not yet fetched.
const FRESH: u8 = 0b100;
/// The bits of `middle` that number the buffer, 0 to 2.
const BUFFER: u8 = 0b011;

#[derive(Debug)]
struct Shared {
    buffers: [Box<[AtomicU64]>; 3],
    middle: AtomicU8,
}

/// A latest-value cell of `words` words, nothing published yet.
#[must_use]
pub fn latest(words: usize) -> (Writer, Reader) {
    let buffers = [zeroed(words), zeroed(words), zeroed(words)];
    let shared = Arc::new(Shared { buffers, middle: AtomicU8::new(1) });
    (Writer { shared: Arc::clone(&shared), own: 0 }, Reader { shared, own: 2 })
}

/// The writing end (a field thread). There is one, it cannot be cloned, it never waits and never allocates.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    own: u8,
}

impl Writer {
    /// The number of words of the block.
    #[must_use]
    pub fn words(&self) -> usize {
        self.buffer().len()
    }

    /// Publishes `words`. They are as many as the cell has: a debug build asserts it; a release build fills up with 0
    /// where `words` is too short, and leaves out what is too much.
    pub fn publish(&mut self, words: &[u64]) {
        debug_assert_eq!(words.len(), self.words(), "a block is published whole");
        self.publish_with(|index| words.get(index).copied().unwrap_or(0));
    }

    /// Publishes what `word` gives for each index in turn, without a buffer in between. A panic of `word` publishes
    /// nothing.
    pub fn publish_with(&mut self, word: impl FnMut(usize) -> u64) {
        self.fill(word);
        self.hand_over(Ordering::AcqRel);
    }

    /// Opens a block that is filled in place. A word that is not set is 0, never a word of an older block.
    ///
    /// Only [`Block::end`] publishes; a block that is dropped instead is forgotten.
    pub fn begin(&mut self) -> Block<'_> {
        self.fill(|_| 0);
        Block { writer: self }
    }

    fn buffer(&self) -> &[AtomicU64] {
        &self.shared.buffers[usize::from(self.own)]
    }

    fn fill(&self, mut word: impl FnMut(usize) -> u64) {
        for (index, cell) in self.buffer().iter().enumerate() {
            cell.store(word(index), Ordering::Relaxed);
        }
    }

    /// The ordering is an argument so that a test can weaken it.
    fn hand_over(&mut self, order: Ordering) {
        self.own = self.shared.middle.swap(self.own | FRESH, order) & BUFFER;
    }
}

/// An open block: set its words, then [`end`](Block::end) it.
#[derive(Debug)]
#[must_use = "nothing is published before `end`"]
pub struct Block<'a> {
    writer: &'a mut Writer,
}

impl Block<'_> {
    /// Sets word `index`. An index beyond the cell is a programming error: asserted in a debug build, ignored otherwise.
    pub fn set(&mut self, index: usize, word: u64) {
        let cell = self.writer.buffer().get(index);
        debug_assert!(cell.is_some(), "word {index} of a block of {}", self.writer.words());
        if let Some(cell) = cell {
            cell.store(word, Ordering::Relaxed);
        }
    }

    /// Publishes.
    pub fn end(self) {
        self.writer.hand_over(Ordering::AcqRel);
    }
}

/// The reading end (the scan). There is one, it cannot be cloned, it never waits and never allocates.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    own: u8,
}

impl Reader {
    /// The number of words of the block.
    #[must_use]
    pub fn words(&self) -> usize {
        self.buffer().len()
    }

    /// Fetches the newest block, to be read with [`word`](Reader::word). False: nothing new since the last call, and the
    /// block stays what it was.
    pub fn fetch(&mut self) -> bool {
        // Relaxed is enough for a look: the swap that follows orders the words.
        let fresh = self.shared.middle.load(Ordering::Relaxed) & FRESH != 0;
        if fresh {
            self.take(Ordering::AcqRel);
        }
        fresh
    }

    /// Word `index` of the block last fetched; `None` beyond its end. All words are 0 before the first fetch.
    #[must_use]
    pub fn word(&self, index: usize) -> Option<u64> {
        self.buffer().get(index).map(|cell| cell.load(Ordering::Relaxed))
    }

    /// Fetches the newest block and copies it. False: nothing new, and `words` is untouched. A shorter `words` gets the
    /// first words only; of a longer one the rest stays untouched.
    pub fn update(&mut self, words: &mut [u64]) -> bool {
        let fresh = self.fetch();
        if fresh {
            self.copy_to(words);
        }
        fresh
    }

    fn buffer(&self) -> &[AtomicU64] {
        &self.shared.buffers[usize::from(self.own)]
    }

    fn copy_to(&self, words: &mut [u64]) {
        for (word, cell) in words.iter_mut().zip(self.buffer()) {
            *word = cell.load(Ordering::Relaxed);
        }
    }

    /// The ordering is an argument so that a test can weaken it.
    fn take(&mut self, order: Ordering) {
        self.own = self.shared.middle.swap(self.own, order) & BUFFER;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn nothing_is_new_before_the_first_block() {
        let (_writer, mut reader) = latest(2);
        let mut words = [7; 2];
        assert!(!reader.update(&mut words));
        assert_eq!(words, [7; 2]);
        assert_eq!(reader.word(0), Some(0));
        assert_eq!(reader.word(2), None);
    }

    #[test]
    fn only_the_newest_block_is_fetched_and_only_once() {
        let (mut writer, mut reader) = latest(2);
        for number in 1..=5 {
            writer.publish(&[number; 2]);
        }
        let mut words = [0; 2];
        assert!(reader.update(&mut words));
        assert_eq!(words, [5; 2]);
        assert!(!reader.update(&mut words));
        assert_eq!((reader.word(0), reader.words(), writer.words()), (Some(5), 2, 2));
    }

    #[test]
    fn a_word_that_is_not_set_is_zero_and_not_an_older_one() {
        let (mut writer, mut reader) = latest(2);
        for _ in 0..3 {
            writer.publish(&[9; 2]);
        }
        let mut block = writer.begin();
        block.set(1, 4);
        block.end();
        let mut words = [0; 2];
        assert!(reader.update(&mut words));
        assert_eq!(words, [0, 4]);
    }

    #[test]
    fn a_block_that_is_dropped_or_cut_by_a_panic_is_never_seen() {
        let (mut writer, mut reader) = latest(2);
        writer.publish(&[1; 2]);
        writer.begin().set(0, 9);
        let cut = catch_unwind(AssertUnwindSafe(|| {
            writer.publish_with(|index| if index == 0 { 9 } else { panic!("no second word") });
        }));
        assert!(cut.is_err());
        let mut words = [0; 2];
        assert!(reader.update(&mut words));
        assert_eq!(words, [1; 2]);
        assert!(!reader.update(&mut words));
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic = "published whole"]
    fn a_debug_build_refuses_a_block_of_another_length() {
        latest(2).0.publish(&[1]);
    }

    #[test]
    fn a_reader_beside_a_busy_writer_sees_whole_and_newer_blocks_only() {
        const BLOCKS: u64 = 20_000;
        let (mut writer, mut reader) = latest(64);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for number in 1..=BLOCKS {
                    writer.publish_with(|_| number);
                }
            });
            let mut words = [0; 64];
            let mut last = 0;
            while last < BLOCKS {
                if reader.update(&mut words) {
                    let number = words[0];
                    assert!(number > last, "block {number} came after {last}");
                    assert!(words.iter().all(|word| *word == number), "block {number} is torn: {words:?}");
                    last = number;
                }
            }
        });
    }
}

/// Every interleaving of small cases. The `should_panic` tests are the negative controls: the same model with one
/// ordering weakened has to fail, or loom would not be looking at what the ordering is for.
#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::thread::spawn;

    /// Three blocks against two fetches, with the orderings given.
    fn whole_with(writers: Ordering, readers: Ordering) {
        loom::model(move || {
            let (mut writer, mut reader) = latest(2);
            let writing = spawn(move || {
                for number in 1..=3 {
                    writer.fill(|_| number);
                    writer.hand_over(writers);
                }
            });
            let mut words = [0; 2];
            let mut last = 0;
            for _ in 0..2 {
                if reader.shared.middle.load(Ordering::Relaxed) & FRESH != 0 {
                    reader.take(readers);
                    reader.copy_to(&mut words);
                    assert_eq!(words[0], words[1], "the block is torn");
                    assert!(words[0] > last, "the block is torn: an old one came back");
                    last = words[0];
                }
            }
            writing.join().unwrap();
        });
    }

    #[test]
    fn the_model_of_the_controls_holds_with_both_orderings() {
        whole_with(Ordering::AcqRel, Ordering::AcqRel);
    }

    /// Seeded fault: the writer's swap does not release its words.
    #[test]
    #[should_panic = "torn"]
    fn without_the_writers_release_a_torn_block_is_found() {
        whole_with(Ordering::Acquire, Ordering::AcqRel);
    }

    /// Seeded fault: the reader's swap does not acquire the words.
    #[test]
    #[should_panic = "torn"]
    fn without_the_readers_acquire_a_torn_block_is_found() {
        whole_with(Ordering::AcqRel, Ordering::Release);
    }

    #[test]
    fn blocks_are_whole_and_newer_and_the_last_one_is_never_lost() {
        loom::model(|| {
            let (mut writer, mut reader) = latest(2);
            let writing = spawn(move || {
                writer.publish(&[1; 2]);
                let mut block = writer.begin();
                block.set(0, 2);
                block.set(1, 2);
                block.end();
            });
            let mut words = [0; 2];
            let mut last = 0;
            for _ in 0..2 {
                if reader.update(&mut words) {
                    assert_eq!(words[0], words[1]);
                    assert!(words[0] > last);
                    last = words[0];
                }
            }
            writing.join().unwrap();
            assert_eq!(reader.update(&mut words), last < 2);
            assert_eq!(words, [2; 2]);
        });
    }
}
