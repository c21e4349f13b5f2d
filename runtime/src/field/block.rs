//! What the scan and a field thread say to each other about one device, as words for the exchange cells.
//!
//! | direction | words |
//! |---|---|
//! | device → scan ([`FromDevice`]) | number of the block (0: never written) · two per point ([`Reading::to_words`]), the last of which is the flag `online` · one per pulse output: the highest id that was executed |
//! | scan → device ([`ToDevice`]) | number of the scan · flags · two per output, in the site's order of the device's outputs |
//!
//! `online` is the one point that no register holds: the connect sequence is done and the device does what it is told.
//! It is stamped with every block, so that it ages like any other point when the field thread dies.
//!
//! The scan's side of both directions neither allocates nor waits: words go through a closure straight into the cell.

use flyball_io_map::image::pulse::Pending;
use flyball_io_map::image::{Reading, ScanTime};

/// Where everything stands in the block that a device's field thread publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FromDevice {
    points: usize,
    pulses: usize,
}

impl FromDevice {
    /// For a device with so many points of its own (`online` comes on top) and pulse outputs.
    #[must_use]
    pub fn new(points: usize, pulses: usize) -> Self {
        Self { points: points + 1, pulses }
    }

    /// How many points it carries: the device's own, and `online` as the last.
    #[must_use]
    pub fn points(&self) -> usize {
        self.points
    }

    /// How many words a block has.
    #[must_use]
    pub fn words(&self) -> usize {
        1 + 2 * self.points + self.pulses
    }

    /// A reading; [`Reading::NEVER`] before the first block and for a point that is not there.
    pub fn reading(&self, point: usize, word: impl Fn(usize) -> Option<u64>) -> Reading {
        let at = 1 + 2 * point;
        match (word(0), word(at), word(at + 1)) {
            (Some(number), Some(value), Some(taken)) if number > 0 && point < self.points => {
                Reading::from_words([value, taken])
            }
            _ => Reading::NEVER,
        }
    }

    /// The highest id that a pulse output has executed, 0 for none.
    pub fn pulse_done(&self, pulse: usize, word: impl Fn(usize) -> Option<u64>) -> u64 {
        if pulse < self.pulses { word(1 + 2 * self.points + pulse).unwrap_or(0) } else { 0 }
    }
}

/// The block that a field thread fills and publishes.
#[derive(Clone, Debug)]
pub struct DeviceWords {
    layout: FromDevice,
    words: Box<[u64]>,
}

impl DeviceWords {
    /// Nothing was ever read, and the device is not online.
    #[must_use]
    pub fn new(layout: FromDevice) -> Self {
        let mut block = Self { layout, words: vec![0; layout.words()].into() };
        for point in 0..layout.points {
            block.set_reading(point, Reading::NEVER);
        }
        block
    }

    /// What to publish.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The number of the block: above that of the one before whenever something was set.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.words[0]
    }

    /// Where everything stands.
    #[must_use]
    pub fn layout(&self) -> FromDevice {
        self.layout
    }

    /// The reading of a point as it stands.
    ///
    /// # Panics
    /// If there is no such point.
    #[must_use]
    pub fn reading(&self, point: usize) -> Reading {
        Reading::from_words([self.words[1 + 2 * point], self.words[2 + 2 * point]])
    }

    /// Sets the reading of a point.
    ///
    /// # Panics
    /// If there is no such point.
    pub fn set_reading(&mut self, point: usize, reading: Reading) {
        self.words[1 + 2 * point..][..2].copy_from_slice(&reading.to_words());
        self.words[0] += 1;
    }

    /// Sets the flag `online`, as known at `at`.
    pub fn set_online(&mut self, online: bool, at: ScanTime) {
        self.set_reading(self.layout.points - 1, Reading::new(Ok(f64::from(u8::from(online))), at));
    }

    /// Notes that a pulse was executed.
    ///
    /// # Panics
    /// If there is no such pulse output.
    pub fn set_pulse_done(&mut self, pulse: usize, id: u64) {
        self.words[1 + 2 * self.layout.points + pulse] = id;
        self.words[0] += 1;
    }
}

/// What an output is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// A set-point.
    Real,
    /// One of a list of values.
    Choice,
    /// A one-shot action.
    Pulse,
}

/// What an output shall be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OutputValue {
    /// In the output's unit; finite.
    Real(f64),
    /// The index of the value.
    Choice(u8),
    /// The pulse that is to be executed, if any.
    Pulse(Option<Pending>),
}

impl OutputValue {
    fn to_words(self) -> [u64; 2] {
        match self {
            Self::Real(value) => [value.to_bits(), 0],
            Self::Choice(index) => [u64::from(index), 0],
            Self::Pulse(None) => [0, 0],
            Self::Pulse(Some(pending)) => [pending.id, pending.expires.0],
        }
    }

    /// `None` for words that the scan never writes: a real that is not finite, an index beyond a byte.
    fn from_words(kind: OutputKind, [first, second]: [u64; 2]) -> Option<Self> {
        match kind {
            OutputKind::Real => Some(f64::from_bits(first)).filter(|v| v.is_finite()).map(Self::Real),
            OutputKind::Choice => u8::try_from(first).ok().map(Self::Choice),
            OutputKind::Pulse if first == 0 => Some(Self::Pulse(None)),
            OutputKind::Pulse => Some(Self::Pulse(Some(Pending { id: first, expires: ScanTime(second) }))),
        }
    }
}

const DRIVES: u64 = 0b01;
const LAST: u64 = 0b10;

/// The head of what the scan says to a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Scans completed since start; 0: there was none yet. What is to be kept alive only while scans complete is kept
    /// alive only while this moves.
    pub scans: u64,
    /// Whether the site is armed. If not, the outputs hold their safe values.
    pub drives: bool,
    /// The last block before the end: its values are written once more, and then the field thread ends.
    pub last: bool,
}

/// Where everything stands in the block that the scan writes for a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToDevice {
    kinds: Box<[OutputKind]>,
}

impl ToDevice {
    /// For a device with these outputs, in their order.
    #[must_use]
    pub fn new(kinds: Vec<OutputKind>) -> Self {
        Self { kinds: kinds.into() }
    }

    /// The kinds of the device's outputs, in their order.
    #[must_use]
    pub fn kinds(&self) -> &[OutputKind] {
        &self.kinds
    }

    /// How many words a block has.
    #[must_use]
    pub fn words(&self) -> usize {
        2 + 2 * self.kinds.len()
    }

    /// The scan's side: `put` is called once per word, with its index.
    pub fn write(&self, head: Head, value: impl Fn(usize) -> OutputValue, mut put: impl FnMut(usize, u64)) {
        let flag = |on: bool, bit: u64| if on { bit } else { 0 };
        put(0, head.scans);
        put(1, flag(head.drives, DRIVES) | flag(head.last, LAST));
        for output in 0..self.kinds.len() {
            let [first, second] = value(output).to_words();
            put(2 + 2 * output, first);
            put(3 + 2 * output, second);
        }
    }

    /// The field thread's side: the block in `words`, which are at least [`ToDevice::words`] many.
    #[must_use]
    pub fn view<'a>(&'a self, words: &'a [u64]) -> Outputs<'a> {
        Outputs { kinds: &self.kinds, words }
    }
}

/// What the scan wants of a device.
#[derive(Clone, Copy, Debug)]
pub struct Outputs<'a> {
    kinds: &'a [OutputKind],
    words: &'a [u64],
}

impl Outputs<'_> {
    /// Before the first scan: nothing is wanted.
    pub const NONE: Outputs<'static> = Outputs { kinds: &[], words: &[0, 0] };

    /// Its head.
    #[must_use]
    pub fn head(&self) -> Head {
        let flags = self.words.get(1).copied().unwrap_or(0);
        let scans = self.words.first().copied().unwrap_or(0);
        Head { scans, drives: flags & DRIVES != 0, last: flags & LAST != 0 }
    }

    /// What an output shall be. `None` before the first scan, for an output that is not there, and for what is no value.
    #[must_use]
    pub fn value(&self, output: usize) -> Option<OutputValue> {
        let at = 2 + 2 * output;
        let (kind, first, second) = (self.kinds.get(output)?, self.words.get(at)?, self.words.get(at + 1)?);
        OutputValue::from_words(*kind, [*first, *second]).filter(|_| self.head().scans > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flyball_io_map::image::NoData;
    use proptest::prelude::*;

    const NOW: ScanTime = ScanTime::from_ms(500);

    fn get(words: &[u64]) -> impl Fn(usize) -> Option<u64> {
        |i| words.get(i).copied()
    }

    #[test]
    fn a_block_that_nobody_wrote_holds_no_value() {
        let layout = FromDevice::new(2, 1);
        let empty = vec![0; layout.words()];
        assert_eq!(layout.reading(0, get(&empty)), Reading::NEVER, "words of zero are not the value 0");
        let first = DeviceWords::new(layout);
        assert_eq!(layout.reading(2, get(first.words())), Reading::NEVER);
    }

    #[test]
    fn what_a_device_says_comes_out_in_its_place() {
        let layout = FromDevice::new(2, 2);
        assert_eq!((layout.points(), layout.words()), (3, 9));
        let mut block = DeviceWords::new(layout);
        block.set_reading(1, Reading::new(Ok(5.5), NOW));
        block.set_online(true, NOW);
        block.set_pulse_done(1, 77);
        let word = get(block.words());
        assert_eq!(layout.reading(0, &word).fresh(NOW, 0), Err(NoData::NeverRead));
        assert_eq!(layout.reading(1, &word), Reading::new(Ok(5.5), NOW));
        assert_eq!(layout.reading(2, &word), Reading::new(Ok(1.0), NOW));
        assert_eq!(layout.reading(3, &word), Reading::NEVER, "there is no fourth point: a pulse stands there");
        assert_eq!((layout.pulse_done(0, &word), layout.pulse_done(1, &word), layout.pulse_done(2, &word)), (0, 77, 0));
    }

    #[test]
    fn every_change_of_a_block_has_a_higher_number() {
        let mut block = DeviceWords::new(FromDevice::new(1, 1));
        let mut last = block.number();
        assert!(last > 0);
        for change in 0..3 {
            match change {
                0 => block.set_reading(0, Reading::NEVER),
                1 => block.set_online(false, NOW),
                _ => block.set_pulse_done(0, 1),
            }
            assert!(block.number() > last);
            last = block.number();
        }
    }

    fn written(layout: &ToDevice, head: Head, values: &[OutputValue]) -> Vec<u64> {
        let mut words = vec![0; layout.words()];
        layout.write(head, |i| values[i], |i, word| words[i] = word);
        words
    }

    #[test]
    fn nothing_is_wanted_before_the_first_scan() {
        let layout = ToDevice::new(vec![OutputKind::Real]);
        let words = written(&layout, Head::default(), &[OutputValue::Real(5.0)]);
        assert_eq!(layout.view(&words).value(0), None);
        assert_eq!(Outputs::NONE.head(), Head::default());
    }

    #[test]
    fn what_is_no_value_is_not_wanted() {
        let layout = ToDevice::new(vec![OutputKind::Real, OutputKind::Choice]);
        let mut words =
            written(&layout, Head { scans: 1, ..Head::default() }, &[OutputValue::Real(1.0), OutputValue::Choice(1)]);
        words[2] = f64::NAN.to_bits();
        words[4] = 256;
        assert_eq!((layout.view(&words).value(0), layout.view(&words).value(1)), (None, None));
        assert_eq!(layout.view(&words).value(2), None, "there is no third output");
    }

    proptest! {
        #[test]
        fn what_the_scan_wants_comes_out_unchanged(
            scans in 1u64.., drives: bool, last: bool, real in -1e9..1e9, choice: u8, id in 0u64.., expires: u64,
        ) {
            let layout = ToDevice::new(vec![OutputKind::Real, OutputKind::Choice, OutputKind::Pulse]);
            let pending = (id > 0).then_some(Pending { id, expires: ScanTime(expires) });
            let values = [OutputValue::Real(real), OutputValue::Choice(choice), OutputValue::Pulse(pending)];
            let head = Head { scans, drives, last };
            let words = written(&layout, head, &values);
            let view = layout.view(&words);
            prop_assert_eq!(view.head(), head);
            prop_assert_eq!([0, 1, 2].map(|i| view.value(i)), values.map(Some));
        }
    }
}
