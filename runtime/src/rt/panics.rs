//! What a panic on a real-time thread leaves behind: its place and message in a fixed store, instead of a print.
//!
//! Printing takes a lock and makes system calls, in the middle of a scan that may well go on (a program's panic is
//! caught at its border). The hook therefore writes into [`PanicLog`] on real-time threads, without a lock and without
//! allocation of its own, and a side thread fetches the records. On all other threads panics print as usual.
//!
//! **When nobody fetches**, the first [`RECORDS`] stay and later ones are counted as lost.

use super::thread::on_realtime_thread;
use std::fmt::{self, Write};
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::Once;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

/// How many panics are kept until they are fetched.
pub const RECORDS: usize = 4;

/// How many bytes of each are kept; the place comes first, so it is the message that is cut.
pub const RECORD_BYTES: usize = 256;

static LOG: PanicLog = PanicLog::new();
static INSTALL: Once = Once::new();

/// Installs the hook, once per process; further calls do nothing. Returns the store that the hook writes to.
pub fn install_panic_hook() -> &'static PanicLog {
    INSTALL.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |info| if on_realtime_thread() { LOG.record_panic(info) } else { print(info) }));
    });
    &LOG
}

/// A store of panic records: written by real-time threads, fetched by a side thread.
#[derive(Debug)]
pub struct PanicLog {
    records: [Record; RECORDS],
    seen: AtomicU64,
    lost: AtomicU64,
}

#[derive(Debug)]
struct Record {
    state: AtomicU8,
    number: AtomicU64,
    length: AtomicUsize,
    text: [AtomicU8; RECORD_BYTES],
}

const FREE: u8 = 0;
const BUSY: u8 = 1;
const WRITTEN: u8 = 2;

impl PanicLog {
    /// An empty store.
    #[must_use]
    pub const fn new() -> Self {
        Self { records: [const { Record::new() }; RECORDS], seen: AtomicU64::new(0), lost: AtomicU64::new(0) }
    }

    /// How many panics there were on real-time threads, kept or not.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }

    /// How many found the store full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Takes the oldest record out: `file:line:column: message`. Allocates, so never on the scan thread.
    pub fn take(&self) -> Option<String> {
        let written = self.records.iter().filter(|record| record.state.load(Ordering::Acquire) == WRITTEN);
        let oldest = written.min_by_key(|record| record.number.load(Ordering::Relaxed))?;
        oldest.claim(WRITTEN).then(|| oldest.take_text())
    }

    fn record_panic(&self, info: &PanicHookInfo<'_>) {
        let message = info.payload_as_str().unwrap_or("(no message)");
        match info.location() {
            Some(place) => self.record(format_args!("{place}: {message}")),
            None => self.record(format_args!("(unknown place): {message}")),
        }
    }

    fn record(&self, text: fmt::Arguments<'_>) {
        let number = self.seen.fetch_add(1, Ordering::Relaxed);
        match self.records.iter().find(|record| record.claim(FREE)) {
            Some(record) => record.write(number, text),
            None => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Default for PanicLog {
    fn default() -> Self {
        Self::new()
    }
}

impl Record {
    const fn new() -> Self {
        Self {
            state: AtomicU8::new(FREE),
            number: AtomicU64::new(0),
            length: AtomicUsize::new(0),
            text: [const { AtomicU8::new(0) }; RECORD_BYTES],
        }
    }

    /// Makes the record the caller's own, if it is in `state`.
    fn claim(&self, state: u8) -> bool {
        self.state.compare_exchange(state, BUSY, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    fn write(&self, number: u64, text: fmt::Arguments<'_>) {
        self.number.store(number, Ordering::Relaxed);
        self.length.store(0, Ordering::Relaxed);
        // Only a `Display` that fails on purpose can make this fail; what it has written so far is kept.
        let _ = Filling(self).write_fmt(text);
        self.state.store(WRITTEN, Ordering::Release);
    }

    fn take_text(&self) -> String {
        let length = self.length.load(Ordering::Relaxed);
        let bytes: Vec<u8> = self.text.iter().take(length).map(|byte| byte.load(Ordering::Relaxed)).collect();
        self.state.store(FREE, Ordering::Release);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Writes into a record, and leaves out what does not fit.
struct Filling<'a>(&'a Record);

impl Write for Filling<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let start = self.0.length.load(Ordering::Relaxed);
        let room = RECORD_BYTES.saturating_sub(start);
        let fits = text.floor_char_boundary(room);
        for (cell, byte) in self.0.text.iter().skip(start).zip(text.bytes().take(fits)) {
            cell.store(byte, Ordering::Relaxed);
        }
        self.0.length.store(start + fits, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt::settings::ThreadSettings;
    use crate::rt::thread::spawn;
    use std::panic::catch_unwind;

    #[test]
    fn records_come_out_in_the_order_they_went_in() {
        let log = PanicLog::new();
        for number in 0..3 {
            log.record(format_args!("panic {number}"));
        }
        assert_eq!(log.take().as_deref(), Some("panic 0"));
        log.record(format_args!("panic 3"));
        let rest: Vec<String> = std::iter::from_fn(|| log.take()).collect();
        assert_eq!(rest, ["panic 1", "panic 2", "panic 3"]);
        assert_eq!((log.seen(), log.lost()), (4, 0));
    }

    #[test]
    fn a_full_store_keeps_the_first_and_counts_the_rest() {
        let log = PanicLog::new();
        for number in 0..7 {
            log.record(format_args!("panic {number}"));
        }
        assert_eq!((log.seen(), log.lost()), (7, 3));
        assert_eq!(log.take().as_deref(), Some("panic 0"));
    }

    #[test]
    fn a_long_message_is_cut_between_two_characters() {
        let log = PanicLog::new();
        log.record(format_args!("x{}", "°".repeat(RECORD_BYTES)));
        let text = log.take().unwrap();
        assert_eq!(text.len(), RECORD_BYTES - 1);
        assert!(text.trim_start_matches('x').chars().all(|letter| letter == '°'));
    }

    #[test]
    fn a_panic_on_a_real_time_thread_is_recorded_with_its_place_and_others_are_not() {
        let log = install_panic_hook();
        assert!(catch_unwind(|| panic!("on an ordinary thread, printed")).is_err());
        let settings = ThreadSettings { name: "panics", ..ThreadSettings::default() };
        let thread = spawn(&settings, |_| catch_unwind(|| panic!("on the scan thread, {}", 42)).is_err()).unwrap();
        assert!(thread.join().unwrap());
        let records: Vec<String> = std::iter::from_fn(|| install_panic_hook().take()).collect();
        let ours: Vec<&String> = records.iter().filter(|text| text.contains("on the scan thread, 42")).collect();
        assert_eq!(ours.len(), 1, "{records:?}");
        assert!(ours[0].contains("panics.rs:"), "{records:?}");
        assert!(!records.iter().any(|text| text.contains("on an ordinary thread")), "{records:?}");
        assert!(log.seen() >= 1);
    }
}
