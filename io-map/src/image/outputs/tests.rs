//! Outputs of devices that may be away, and what it means that all of them are safe.

use super::super::choice::ChoiceRule;
use super::super::output::{Cause, Rule};
use super::super::wiring::{OutputDef, OutputKind, Wired, Wiring};
use super::super::{NoData, Unit};
use super::*;
use crate::document::Spanned;

const FREE: (f64, f64) = (f64::MIN, f64::MAX);

/// Two inverters under one total, a contactor; the first inverter and the contactor belong to a device whose flag `online`
/// stands first in the image.
struct Site {
    outputs: Outputs,
    power: Demand<Real>,
    close: Demand<Choice>,
    tick: u64,
}

fn site() -> Site {
    let name = |name: &str| Spanned { value: name.to_owned(), span: 0..0 };
    let rule = Rule { safe: 0.0, range: (-10_000.0, 10_000.0), ramp_per_s: 100_000.0, ramp_out_per_s: 5_000.0 };
    let real = |name: &str, members: Vec<usize>| OutputDef {
        name: name.into(),
        kind: OutputKind::Real { unit: Unit::W, rule },
        members,
    };
    let rule = ChoiceRule { values: 2, safe: 0, dwell_ns: 0, safe_after: None };
    let kind = OutputKind::Choice { values: vec!["Open".into(), "Closed".into()], rule };
    let contactor = OutputDef { name: "contactor".into(), kind, members: vec![] };
    let defs = vec![real("total", vec![1, 2]), real("east", vec![]), real("west", vec![]), contactor];
    let mut wiring = Wiring::new(Vec::new(), defs, 10);
    wiring.begin(0..0);
    let power = wiring.demand(&name("total"), Unit::W, 0);
    let close = wiring.demand_choice(&name("contactor"), 0);
    let limits = ["east", "west"].map(|member| wiring.limit(&name(member), Unit::W));
    let Wired { mut outputs, .. } = wiring.finish().unwrap();
    limits.iter().for_each(|limit| outputs.limit(limit, FREE.0, FREE.1));
    outputs.gate(OutputAt::Real(1), 0);
    outputs.gate(OutputAt::Choice(0), 0);
    Real::demand(&mut outputs, &power, Some(4_000.0));
    Choice::demand(&mut outputs, &close, Some(1));
    Site { outputs, power, close, tick: 0 }
}

impl Site {
    fn scan(&mut self, drive: Drive, online: Result<f64, NoData>) {
        let now = ScanTime::from_ms(self.tick * 10);
        self.tick += 1;
        let elapsed = Elapsed { since_last_s: 0.01, period_s: 0.01 };
        self.outputs.resolve(now, elapsed, drive, &[Reading::new(online, now)], &[]);
    }

    fn scans(&mut self, count: u32, online: Result<f64, NoData>) {
        (0..count).for_each(|_| self.scan(Drive::Armed, online));
    }

    fn watts(&self) -> [f64; 3] {
        [0, 1, 2].map(|i| self.outputs.reals()[i].applied().total)
    }

    fn contactor(&self) -> (u8, Cause) {
        self.outputs.choices()[0].applied()
    }
}

#[test]
fn an_inverter_that_is_away_is_told_its_safe_value_and_the_other_takes_over_in_the_same_scan() {
    let mut site = site();
    site.scans(10, Ok(1.0));
    assert_eq!((site.watts(), site.contactor().0), ([4_000.0, 2_000.0, 2_000.0], 1));
    for away in [Ok(0.0), Err(NoData::DeviceSilent), Err(NoData::NeverRead)] {
        let mut site = Site { outputs: site.outputs.clone(), ..self::site() };
        site.scan(Drive::Armed, away);
        assert_eq!((site.watts(), site.outputs.reals()[1].applied().cause), ([4_000.0, 0.0, 4_000.0], Cause::Offline));
    }
}

#[test]
fn a_contactor_whose_device_is_away_opens_and_says_why() {
    let mut site = site();
    site.scans(10, Ok(1.0));
    assert_eq!(site.contactor(), (1, Cause::Demand(By(0))));
    site.scan(Drive::Armed, Ok(0.0));
    assert_eq!(site.contactor(), (0, Cause::Offline));
    site.scan(Drive::Armed, Ok(1.0));
    assert_eq!(site.contactor(), (1, Cause::Demand(By(0))));
}

#[test]
fn a_set_point_that_nobody_could_execute_begins_from_safe() {
    let mut site = site();
    // the only other member may do nothing, so the total has to wait for the one that is away
    site.outputs.gate(OutputAt::Real(2), 0);
    site.scans(50, Ok(0.0));
    assert_eq!((site.watts(), site.outputs.reals()[0].applied().cause), ([0.0; 3], Cause::Members));
    site.scan(Drive::Armed, Ok(1.0));
    let (watts, cause) = (site.watts(), site.outputs.reals()[0].applied().cause);
    assert_eq!((watts, cause), ([1_000.0, 500.0, 500.0], Cause::Ramp(By(0))), "not since it was demanded");
}

#[test]
fn a_site_that_is_held_says_so_first() {
    let mut site = site();
    site.scan(Drive::Held(Cause::Tripped), Ok(0.0));
    let causes = [0, 1, 2].map(|i| site.outputs.reals()[i].applied().cause);
    assert_eq!((causes, site.contactor().1), ([Cause::Tripped; 3], Cause::Tripped));
}

#[test]
fn all_safe_needs_every_output() {
    let mut site = site();
    assert!(site.outputs.all_safe());
    Real::demand(&mut site.outputs, &site.power, None);
    site.scan(Drive::Armed, Ok(1.0));
    assert!(!site.outputs.all_safe(), "the contactor is closed");
    Real::demand(&mut site.outputs, &site.power, Some(10.0));
    Choice::demand(&mut site.outputs, &site.close, None);
    site.scan(Drive::Armed, Ok(1.0));
    assert!(!site.outputs.all_safe(), "10 W");
    site.scan(Drive::Stopping, Ok(1.0));
    assert!(site.outputs.all_safe());
}
