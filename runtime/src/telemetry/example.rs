//! A small site with one of everything, for the tests.

use crate::scan::snapshot::{Header, Layout, SiteState};
use flyball_io_map::document::Spanned;
use flyball_io_map::image::choice::ChoiceRule;
use flyball_io_map::image::output::{Drive, Elapsed, Rule};
use flyball_io_map::image::outputs::Demandable;
use flyball_io_map::image::point::Source;
use flyball_io_map::image::wiring::{OutputDef, OutputKind, Wiring};
use flyball_io_map::image::{NoData, PointDef, Reading, Real, ScanTime, Unit, ValueKind};
use std::sync::Arc;

/// Milliseconds since 1970 at which the example's clock stands.
pub(super) const WALL_MS: u64 = 1_800_000_000_123;

fn point(name: &str, kind: ValueKind, unit: Unit, source: Source) -> PointDef {
    let codes = if kind == ValueKind::Code { vec![(0, "off".into()), (3, "charging".into())] } else { Vec::new() };
    let (plausible, frozen_after_ms) = ((-1e6, 1e6), None);
    PointDef { name: name.into(), kind, unit, source, plausible, age_max_ms: 3_000, frozen_after_ms, codes }
}

fn points() -> Vec<PointDef> {
    vec![
        point("meter.p", ValueKind::Real, Unit::W, Source::Device(0)),
        point("meter.f", ValueKind::Real, Unit::Hz, Source::Device(0)),
        point("pcs.state", ValueKind::Code, Unit::None, Source::Device(1)),
        point("pcs.soc", ValueKind::Real, Unit::Percent, Source::Device(1)),
        point("panel.estop", ValueKind::Flag, Unit::None, Source::Device(2)),
        point("soc", ValueKind::Real, Unit::Percent, Source::Computed),
    ]
}

fn outputs() -> Vec<OutputDef> {
    let rule = Rule { safe: 0.0, range: (-5_000.0, 5_000.0), ramp_per_s: 1e9, ramp_out_per_s: 1e9 };
    let choice = ChoiceRule { values: 2, safe: 0, dwell_ns: 0, safe_after: None };
    let values = vec!["open".to_owned(), "closed".to_owned()];
    let def = |name: &str, kind| OutputDef { name: name.into(), kind, members: Vec::new() };
    vec![
        def("pcs.p", OutputKind::Real { unit: Unit::W, rule }),
        def("panel.contactor", OutputKind::Choice { values, rule: choice }),
        def("pcs.reset", OutputKind::Pulse),
    ]
}

/// The site, and a snapshot of it at 1 s, in its 100th scan.
pub(super) fn site() -> (Arc<Layout>, Vec<u64>) {
    let spanned = |name: &str| Spanned { value: name.to_owned(), span: 0..0 };
    let mut wiring = Wiring::new(points(), outputs(), 10);
    wiring.begin(0..0);
    let demand = wiring.demand(&spanned("pcs.p"), Unit::W, 0);
    wiring.begin(0..0);
    let limit = wiring.limit(&spanned("pcs.p"), Unit::W);
    let fire = wiring.fire(&spanned("pcs.reset"));
    let at = wiring.places().to_vec();
    let mut wired = wiring.finish().expect("the example is sound");
    let now = ScanTime::from_ms(1_000);
    Real::demand(&mut wired.outputs, &demand, Some(2_500.0));
    wired.outputs.limit(&limit, -1_000.0, 1_500.0);
    wired.outputs.fire(&fire, 7, ScanTime::from_ms(60_000));
    let elapsed = Elapsed { since_last_s: 0.01, period_s: 0.01 };
    wired.outputs.resolve(now, elapsed, Drive::Armed, &[], &[]);
    let programs = vec!["self_consumption".to_owned(), "battery_limits".to_owned()];
    let layout = Layout::new("cabin".into(), 10, wired.points, outputs(), at, programs);
    let taken = |ms| ScanTime::from_ms(ms);
    let readings = [
        Reading::new(Ok(-1_250.5), taken(900)),
        Reading::new(Err(NoData::DeviceSilent), taken(0)),
        Reading::new(Ok(3.0), taken(750)),
        Reading::NEVER,
        Reading::new(Ok(1.0), taken(1_000)),
        Reading::new(Ok(55.0), taken(750)),
    ];
    let header = Header {
        tick: 100,
        scans: 100,
        state: SiteState::Armed,
        degraded: false,
        quarantined: 1,
        slots_skipped: 2,
        scan_ns: 8_400,
        late_ns: 52_000,
        wall_ns: WALL_MS * 1_000_000,
        wall_trusted: true,
        commands_refused: 3,
    };
    let mut words = vec![0; layout.words()];
    Layout::write(&header, &readings, &wired.outputs, |at, word| words[at] = word);
    (Arc::new(layout), words)
}

/// The words of another scan of the same site: tick and scans become `scan`.
pub(super) fn at_scan(words: &[u64], scan: u64) -> Vec<u64> {
    let mut words = words.to_vec();
    words[..2].fill(scan);
    words
}
