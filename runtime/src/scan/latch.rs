//! The latch: raw readings become the image of this scan. Age, range, frozen values and life counters are judged here,
//! once, for all programs.
//!
//! After start a device is believed only when its life point was *seen to move*: a restart must not forgive a frozen
//! sensor.

use flyball_io_map::image::point::Source;
use flyball_io_map::image::{NoData, PointDef, Reading, ScanTime, ValueKind};
use std::ops::Range;

/// A device's life point: if it does not move, none of the device's points is believed.
#[derive(Clone, Debug, PartialEq)]
pub struct LifeRule {
    /// The points of the device, as places in the image.
    pub points: Range<usize>,
    /// The point that always moves.
    pub life: usize,
    /// It must have moved within so long, ns.
    pub within_ns: u64,
    /// Points of the device that say something of the link and not of the plant: believed without life.
    pub apart: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Rule {
    low: f64,
    high: f64,
    /// Flags and codes are whole numbers: between two states there is none that could be believed.
    whole: bool,
    age_max_ns: u64,
    /// Index into the memories of points that may freeze.
    frozen: Option<u16>,
}

impl Rule {
    fn plausible(&self, v: f64) -> bool {
        v >= self.low && v <= self.high && !(self.whole && v.fract().abs() > 0.0)
    }
}

/// When a value last changed.
#[derive(Clone, Copy, Debug, Default)]
struct Movement {
    last: Option<(u64, ScanTime)>,
    seen_to_move: bool,
}

impl Movement {
    /// Takes note of a value, and says when it last changed (or was first seen).
    fn note(&mut self, value: f64, taken: ScanTime) -> ScanTime {
        match self.last {
            Some((bits, at)) if bits == value.to_bits() => at,
            before => {
                self.seen_to_move |= before.is_some();
                self.last = Some((value.to_bits(), taken));
                taken
            }
        }
    }
}

/// The rules of all latched points, and what they must remember.
#[derive(Clone, Debug)]
pub struct Latch {
    rules: Box<[Rule]>,
    freezing: Box<[(u64, Movement)]>,
    lives: Box<[(LifeRule, Movement)]>,
}

impl Latch {
    /// For the device and system points of a site, which stand first in `points`.
    #[must_use]
    pub fn new(points: &[PointDef], lives: Vec<LifeRule>) -> Self {
        let mut freezing = Vec::new();
        let latched = points.iter().take_while(|p| matches!(p.source, Source::Device(_) | Source::System));
        let rules = latched.map(|def| {
            let frozen = def.frozen_after_ms.map(|ms| {
                freezing.push((u64::from(ms) * 1_000_000, Movement::default()));
                u16::try_from(freezing.len() - 1).expect("fewer than 65 536 points")
            });
            let (low, high) = def.plausible;
            let whole = def.kind != ValueKind::Real;
            Rule { low, high, whole, age_max_ns: u64::from(def.age_max_ms) * 1_000_000, frozen }
        });
        let rules = rules.collect();
        let lives = lives.into_iter().map(|rule| (rule, Movement::default())).collect();
        Self { rules, freezing: freezing.into(), lives }
    }

    /// How many points it latches.
    #[must_use]
    pub fn points(&self) -> usize {
        self.rules.len()
    }

    /// Judges `raw` at `now` into `image`. Both hold at least [`Latch::points`] readings.
    pub fn latch(&mut self, now: ScanTime, raw: &[Reading], image: &mut [Reading]) {
        for ((rule, raw), image) in self.rules.iter().zip(raw).zip(image.iter_mut()) {
            *image = match raw.fresh(now, rule.age_max_ns) {
                Ok(v) if rule.plausible(v) => match rule.frozen {
                    Some(i) => judge_frozen(&mut self.freezing[usize::from(i)], *raw, v, now),
                    None => *raw,
                },
                Ok(_) => raw.lost(NoData::Implausible),
                Err(why) => raw.lost(why),
            };
        }
        for (rule, movement) in &mut self.lives {
            let life = image[rule.life];
            let moved = life.fresh(now, u64::MAX).map(|v| movement.note(v, life.taken()));
            let alive = movement.seen_to_move && matches!(moved, Ok(at) if now.since(at) <= rule.within_ns);
            if !alive {
                for i in rule.points.clone().filter(|i| !rule.apart.contains(i)) {
                    if image[i].fresh(now, u64::MAX).is_ok() {
                        image[i] = image[i].lost(NoData::Frozen);
                    }
                }
            }
        }
    }
}

fn judge_frozen((after_ns, movement): &mut (u64, Movement), raw: Reading, value: f64, now: ScanTime) -> Reading {
    let changed = movement.note(value, raw.taken());
    if now.since(changed) > *after_ns { raw.lost(NoData::Frozen) } else { raw }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flyball_io_map::image::Unit;

    fn point(name: &str, frozen_after_ms: Option<u32>) -> PointDef {
        PointDef {
            name: name.into(),
            kind: ValueKind::Real,
            unit: Unit::W,
            source: Source::Device(0),
            plausible: (-100.0, 100.0),
            age_max_ms: 500,
            frozen_after_ms,
            codes: Vec::new(),
        }
    }

    /// Two points of a device, the second its life point, polled every 100 ms with these values.
    struct Meter {
        latch: Latch,
        raw: [Reading; 2],
        now_ms: u64,
    }

    impl Meter {
        fn new(frozen_after_ms: Option<u32>, life: bool) -> Self {
            let points = [point("p", frozen_after_ms), point("life", None)];
            let rule = LifeRule { points: 0..2, life: 1, within_ns: 300_000_000, apart: Vec::new() };
            Self {
                latch: Latch::new(&points, if life { vec![rule] } else { Vec::new() }),
                raw: [Reading::NEVER; 2],
                now_ms: 1_000,
            }
        }

        fn poll(&mut self, p: f64, life: f64) -> Result<f64, NoData> {
            self.now_ms += 100;
            self.raw = [p, life].map(|v| Reading::new(Ok(v), ScanTime::from_ms(self.now_ms)));
            self.look()
        }

        fn look(&mut self) -> Result<f64, NoData> {
            let (mut image, now) = ([Reading::NEVER; 2], ScanTime::from_ms(self.now_ms));
            self.latch.latch(now, &self.raw, &mut image);
            image[0].fresh(now, u64::MAX)
        }
    }

    #[test]
    fn a_value_outside_its_plausible_range_is_no_value() {
        let mut meter = Meter::new(None, false);
        assert_eq!(meter.poll(100.0, 0.0), Ok(100.0));
        assert_eq!(meter.poll(100.1, 0.0), Err(NoData::Implausible));
        assert_eq!(meter.poll(f64::NAN, 0.0), Err(NoData::Implausible));
    }

    #[test]
    fn a_flag_between_its_states_is_no_value() {
        let mut chain =
            PointDef { kind: ValueKind::Flag, unit: Unit::None, plausible: (0.0, 1.0), ..point("estop", None) };
        let mut judge = |kind: ValueKind, v: f64| {
            chain.kind = kind;
            let (mut latch, mut image) = (Latch::new(std::slice::from_ref(&chain), Vec::new()), [Reading::NEVER]);
            latch.latch(ScanTime(0), &[Reading::new(Ok(v), ScanTime(0))], &mut image);
            image[0].fresh(ScanTime(0), 0)
        };
        for kind in [ValueKind::Flag, ValueKind::Code] {
            assert_eq!([judge(kind, 0.0), judge(kind, 1.0)], [Ok(0.0), Ok(1.0)]);
            assert_eq!([judge(kind, 0.9), judge(kind, 5e-324)], [Err(NoData::Implausible); 2]);
        }
        assert_eq!(judge(ValueKind::Real, 0.9), Ok(0.9));
    }

    #[test]
    fn a_value_that_is_too_old_says_both_ages() {
        let mut meter = Meter::new(None, false);
        assert!(meter.poll(5.0, 0.0).is_ok());
        meter.now_ms += 501;
        assert_eq!(meter.look(), Err(NoData::TooOld { age_ms: 501, allowed_ms: 500 }));
    }

    #[test]
    fn a_value_that_stops_moving_is_frozen_and_is_back_when_it_moves() {
        let mut meter = Meter::new(Some(250), false);
        assert_eq!(meter.poll(5.0, 0.0), Ok(5.0));
        assert_eq!((meter.poll(5.0, 0.0), meter.poll(5.0, 0.0)), (Ok(5.0), Ok(5.0)));
        assert_eq!(meter.poll(5.0, 0.0), Err(NoData::Frozen));
        assert_eq!(meter.poll(5.1, 0.0), Ok(5.1));
    }

    #[test]
    fn nothing_is_believed_before_the_life_counter_was_seen_to_move() {
        let mut meter = Meter::new(None, true);
        assert_eq!(meter.poll(5.0, 7.0), Err(NoData::Frozen));
        assert_eq!(meter.poll(6.0, 7.0), Err(NoData::Frozen), "values move, the counter does not");
        assert_eq!(meter.poll(6.0, 8.0), Ok(6.0));
    }

    #[test]
    fn a_life_counter_that_stops_takes_all_points_of_the_device_with_it() {
        let mut meter = Meter::new(None, true);
        let _ = (meter.poll(5.0, 1.0), meter.poll(5.0, 2.0));
        assert_eq!((meter.poll(1.0, 2.0), meter.poll(2.0, 2.0), meter.poll(3.0, 2.0)), (Ok(1.0), Ok(2.0), Ok(3.0)));
        assert_eq!(meter.poll(4.0, 2.0), Err(NoData::Frozen));
        assert_eq!(meter.poll(5.0, 3.0), Ok(5.0));
    }
}
