//! One writer, many readers: the image of one scan, whole or not at all (a seqlock over atomic words).
//!
//! **Reads** nothing. **Guarantees** that [`SnapshotReader::read`] returns words of one publication only, and that the
//! writer never waits: it does not even look at the readers. **When the writer is lost** readers keep getting the last
//! finished publication, so they must carry its tick and judge its age; when it is lost in the middle of a publication
//! (a panic while filling it) they get `None` until the next one is finished.
//!
//! The sequence number is odd while words are being written. Orderings, and what each is for:
//!
//! 1. `seq = odd` (relaxed), then a release fence, then the words: whoever sees a new word and then passes an acquire
//!    fence also sees the odd number.
//! 2. the words, then `seq = even` (release): whoever sees the even number (acquire) sees all its words.
//! 3. the reader loads `seq` (acquire), the words, an acquire fence, then `seq` again: unchanged and even means that no
//!    word was newer than the number says.
//!
//! loom finds the loss of any of the three: the tests below leave out each in turn.

use super::sync::{Arc, AtomicU64, Ordering, fence, spin_loop, yield_now, zeroed};

/// How often [`SnapshotReader::read`] tries before it gives up. A publication of 8 KiB takes a few µs, so that a reader
/// which comes this far was starved, or the writer died half-way.
#[cfg(not(loom))]
pub const READ_TRIES: u32 = 100;
/// Two tries are enough to model a retry, and few enough for loom to walk through all interleavings.
#[cfg(loom)]
pub const READ_TRIES: u32 = 2;

/// After this many tries a reader gives its CPU away between two, in case the writer waits for that CPU.
const SPIN_TRIES: u32 = 8;

#[derive(Debug)]
struct Shared {
    /// Twice the number of finished publications, plus one while a publication is open.
    seq: AtomicU64,
    words: Box<[AtomicU64]>,
}

/// A snapshot cell of `words` words, all 0 and not yet published.
#[must_use]
pub fn snapshot(words: usize) -> (SnapshotWriter, SnapshotReader) {
    let shared = Arc::new(Shared { seq: AtomicU64::new(0), words: zeroed(words) });
    (SnapshotWriter { shared: Arc::clone(&shared), seq: 0 }, SnapshotReader { shared })
}

/// The writing end. There is one, it cannot be cloned, and every call of it is wait-free and free of allocation.
#[derive(Debug)]
pub struct SnapshotWriter {
    shared: Arc<Shared>,
    /// What `shared.seq` holds: nobody else writes it.
    seq: u64,
}

impl SnapshotWriter {
    /// The number of words of one publication.
    #[must_use]
    pub fn words(&self) -> usize {
        self.shared.words.len()
    }

    /// Publishes `words`. They are as many as the cell has: a debug build asserts it; a release build keeps the words
    /// of the last publication where `words` is too short, and leaves out what is too much.
    pub fn publish(&mut self, words: &[u64]) {
        debug_assert_eq!(words.len(), self.words(), "a snapshot is published whole");
        let open = self.begin();
        for (cell, word) in open.writer.shared.words.iter().zip(words) {
            cell.store(*word, Ordering::Relaxed);
        }
        open.end();
    }

    /// Publishes what `word` gives for each index in turn, without a buffer in between.
    pub fn publish_with(&mut self, mut word: impl FnMut(usize) -> u64) {
        let open = self.begin();
        for (index, cell) in open.writer.shared.words.iter().enumerate() {
            cell.store(word(index), Ordering::Relaxed);
        }
        open.end();
    }

    /// Opens a publication that is filled in place. Words that are not set keep the value of the last one.
    ///
    /// Only [`Publication::end`] publishes. A publication that is dropped instead (a panic passed through) leaves the
    /// cell marked as torn, so that no reader takes half of it for a whole.
    pub fn begin(&mut self) -> Publication<'_> {
        self.open(|| fence(Ordering::Release))
    }

    /// `begin` with its fence as an argument, so that a test can leave it out.
    fn open(&mut self, after_opening: impl FnOnce()) -> Publication<'_> {
        self.seq |= 1; // still odd when the last publication was abandoned
        self.shared.seq.store(self.seq, Ordering::Relaxed);
        after_opening();
        Publication { writer: self }
    }
}

/// An open publication: set its words, then [`end`](Publication::end) it.
#[derive(Debug)]
#[must_use = "nothing is published before `end`"]
pub struct Publication<'a> {
    writer: &'a mut SnapshotWriter,
}

impl Publication<'_> {
    /// Sets word `index`. An index beyond the cell is a programming error: asserted in a debug build, ignored otherwise.
    pub fn set(&mut self, index: usize, word: u64) {
        let cell = self.writer.shared.words.get(index);
        debug_assert!(cell.is_some(), "word {index} of a snapshot of {}", self.writer.words());
        if let Some(cell) = cell {
            cell.store(word, Ordering::Relaxed);
        }
    }

    /// Publishes; returns the publication's number, from 1 up.
    pub fn end(self) -> u64 {
        self.close(Ordering::Release)
    }

    /// `end` with its ordering as an argument, so that a test can weaken it.
    fn close(self, order: Ordering) -> u64 {
        self.writer.seq = self.writer.seq.wrapping_add(1);
        self.writer.shared.seq.store(self.writer.seq, order);
        self.writer.seq / 2
    }
}

/// A reading end. Clone it for every reader.
#[derive(Clone, Debug)]
pub struct SnapshotReader {
    shared: Arc<Shared>,
}

/// What one try to read came to.
enum Try {
    Never,
    Torn,
    Whole(u64),
}

impl SnapshotReader {
    /// The number of words of one publication.
    #[must_use]
    pub fn words(&self) -> usize {
        self.shared.words.len()
    }

    /// Copies the newest publication and returns its number, from 1 up.
    ///
    /// A shorter `words` gets the first words only; of a longer one the rest stays untouched. `None` means that nothing
    /// was ever published, or that the snapshot stayed torn for [`READ_TRIES`] tries; `words` then holds no meaning.
    /// Not for the scan thread: it may yield the CPU.
    pub fn read(&self, words: &mut [u64]) -> Option<u64> {
        for attempt in 0..READ_TRIES {
            match self.try_read(words, || fence(Ordering::Acquire)) {
                Try::Whole(number) => return Some(number),
                Try::Never => return None,
                Try::Torn if attempt < SPIN_TRIES => spin_loop(),
                Try::Torn => yield_now(),
            }
        }
        None
    }

    /// The number of the last finished publication, 0 if there is none: cheap enough to poll for news.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.shared.seq.load(Ordering::Acquire) / 2
    }

    /// One try, with its fence as an argument, so that a test can leave it out.
    fn try_read(&self, words: &mut [u64], before_checking: impl FnOnce()) -> Try {
        let seq = self.shared.seq.load(Ordering::Acquire);
        if seq == 0 {
            return Try::Never;
        }
        if !seq.is_multiple_of(2) {
            return Try::Torn;
        }
        for (word, cell) in words.iter_mut().zip(&self.shared.words) {
            *word = cell.load(Ordering::Relaxed);
        }
        before_checking();
        if self.shared.seq.load(Ordering::Relaxed) == seq { Try::Whole(seq / 2) } else { Try::Torn }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn nothing_is_read_before_the_first_publication() {
        let (_writer, reader) = snapshot(2);
        assert_eq!(reader.read(&mut [0; 2]), None);
        assert_eq!(reader.published(), 0);
    }

    #[test]
    fn the_newest_publication_is_read_by_every_reader() {
        let (mut writer, reader) = snapshot(3);
        let other = reader.clone();
        writer.publish(&[1, 2, 3]);
        writer.publish_with(|index| 10 * u64::try_from(index).unwrap());
        for reader in [reader, other] {
            let mut words = [9; 3];
            assert_eq!(reader.read(&mut words), Some(2));
            assert_eq!(words, [0, 10, 20]);
            assert_eq!(reader.words(), 3);
        }
        assert_eq!(writer.words(), 3);
    }

    #[test]
    fn a_word_that_is_not_set_keeps_its_last_value() {
        let (mut writer, reader) = snapshot(2);
        writer.publish(&[1, 2]);
        let mut open = writer.begin();
        open.set(1, 7);
        assert_eq!(open.end(), 2);
        let mut words = [0; 2];
        assert_eq!(reader.read(&mut words), Some(2));
        assert_eq!(words, [1, 7]);
    }

    #[test]
    fn a_short_buffer_gets_the_first_words() {
        let (mut writer, reader) = snapshot(3);
        writer.publish(&[4, 5, 6]);
        let mut words = [0; 2];
        assert_eq!(reader.read(&mut words), Some(1));
        assert_eq!(words, [4, 5]);
    }

    #[test]
    fn an_open_publication_is_not_readable() {
        let (mut writer, reader) = snapshot(1);
        writer.publish(&[1]);
        let mut open = writer.begin();
        open.set(0, 2);
        assert_eq!(reader.read(&mut [0]), None);
        open.end();
        let mut words = [0];
        assert_eq!(reader.read(&mut words), Some(2));
        assert_eq!(words, [2]);
    }

    #[test]
    fn a_publication_that_a_panic_cut_short_is_not_readable_and_the_next_one_is() {
        let (mut writer, reader) = snapshot(2);
        writer.publish(&[1, 1]);
        let cut = catch_unwind(AssertUnwindSafe(|| {
            writer.publish_with(|index| if index == 0 { 2 } else { panic!("no second word") });
        }));
        assert!(cut.is_err());
        assert_eq!(reader.read(&mut [0; 2]), None);
        assert_eq!(reader.published(), 1);
        writer.publish(&[3, 3]);
        let mut words = [0; 2];
        assert_eq!(reader.read(&mut words), Some(2));
        assert_eq!(words, [3, 3]);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic = "published whole"]
    fn a_debug_build_refuses_a_publication_of_another_length() {
        snapshot(2).0.publish(&[1]);
    }

    #[test]
    fn a_reader_beside_a_busy_writer_sees_whole_publications_only() {
        const PUBLICATIONS: u64 = 20_000;
        let (mut writer, reader) = snapshot(64);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for number in 1..=PUBLICATIONS {
                    writer.publish_with(|_| number);
                }
            });
            let mut words = [0; 64];
            let mut last = 0;
            while last < PUBLICATIONS {
                if let Some(number) = reader.read(&mut words) {
                    assert!(number >= last, "publication {number} came after {last}");
                    assert!(words.iter().all(|word| *word == number), "publication {number} is torn: {words:?}");
                    last = number;
                }
            }
        });
    }
}

/// Every interleaving of small cases. The `should_panic` tests are the negative controls: the same model with one fence
/// left out has to fail, or loom would not be looking at what the fence is for.
#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::thread::spawn;

    fn is_whole(words: [u64; 2], number: u64) {
        assert_eq!(words, [number; 2], "publication {number} is torn");
    }

    #[test]
    fn a_read_is_one_whole_publication_and_never_goes_back() {
        loom::model(|| {
            let (mut writer, reader) = snapshot(2);
            let writing = spawn(move || {
                writer.publish(&[1; 2]);
                writer.publish(&[2; 2]);
            });
            let mut last = 0;
            for _ in 0..2 {
                let mut words = [0; 2];
                if let Some(number) = reader.read(&mut words) {
                    is_whole(words, number);
                    assert!(number >= last);
                    last = number;
                }
            }
            writing.join().unwrap();
            let mut words = [0; 2];
            assert_eq!(reader.read(&mut words), Some(2));
            is_whole(words, 2);
        });
    }

    #[test]
    fn two_readers_do_not_disturb_each_other() {
        loom::model(|| {
            let (mut writer, reader) = snapshot(2);
            let other = reader.clone();
            let reading = spawn(move || {
                let mut words = [0; 2];
                if let Some(number) = other.read(&mut words) {
                    is_whole(words, number);
                }
            });
            let writing = spawn(move || writer.publish(&[1; 2]));
            let mut words = [0; 2];
            if let Some(number) = reader.read(&mut words) {
                is_whole(words, number);
            }
            reading.join().unwrap();
            writing.join().unwrap();
        });
    }

    #[test]
    fn an_abandoned_publication_is_never_read() {
        loom::model(|| {
            let (mut writer, reader) = snapshot(2);
            let writing = spawn(move || {
                writer.publish(&[1; 2]);
                writer.begin().set(0, 99); // dropped without `end`
                let mut open = writer.begin();
                open.set(0, 2);
                open.set(1, 2);
                open.end();
            });
            let mut words = [0; 2];
            if let Some(number) = reader.read(&mut words) {
                is_whole(words, number);
            }
            writing.join().unwrap();
        });
    }

    /// Two publications against one try, with the fences and the ordering given.
    fn whole_with(after_opening: fn(), closing: Ordering, before_checking: fn()) {
        loom::model(move || {
            let (mut writer, reader) = snapshot(2);
            let writing = spawn(move || {
                for number in 1..=2 {
                    let mut open = writer.open(after_opening);
                    open.set(0, number);
                    open.set(1, number);
                    open.close(closing);
                }
            });
            let mut words = [0; 2];
            if let Try::Whole(number) = reader.try_read(&mut words, before_checking) {
                is_whole(words, number);
            }
            writing.join().unwrap();
        });
    }

    #[test]
    fn the_model_of_the_controls_holds_with_all_three() {
        whole_with(|| fence(Ordering::Release), Ordering::Release, || fence(Ordering::Acquire));
    }

    /// Seeded fault: no release fence between the odd number and the words.
    #[test]
    #[should_panic = "torn"]
    fn without_the_fence_after_opening_a_torn_read_is_found() {
        whole_with(|| (), Ordering::Release, || fence(Ordering::Acquire));
    }

    /// Seeded fault: the even number does not release the words.
    #[test]
    #[should_panic = "torn"]
    fn without_the_release_at_the_end_a_torn_read_is_found() {
        whole_with(|| fence(Ordering::Release), Ordering::Relaxed, || fence(Ordering::Acquire));
    }

    /// Seeded fault: no acquire fence between the words and the second look at the number.
    #[test]
    #[should_panic = "torn"]
    fn without_the_fence_before_checking_a_torn_read_is_found() {
        whole_with(|| fence(Ordering::Release), Ordering::Release, || ());
    }
}
