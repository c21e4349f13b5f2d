//! A small running site: its scan goes on with every look at it.

use flyball_io_map::image::point::Source;
use flyball_io_map::image::{Outputs, PointDef, Reading, ScanTime, Unit, ValueKind};
use flyball_runtime::exchange::snapshot::snapshot;
use flyball_runtime::scan::snapshot::{Header, Layout, SiteState};
use flyball_runtime::telemetry::{Asked, Settings, Telemetry, Timing};
use std::sync::Arc;
use std::time::Duration;

/// Messages per round: the site's, the meter's, the outputs'.
pub(crate) const PER_ROUND: u64 = 3;

/// Settings for a broker on this machine, with short pauses and the shortest keep-alive.
pub(crate) fn settings(port: u16, every_ms: u32, offline_messages_max: u32) -> Settings {
    // a name, so that the look-up is tested too
    let broker = format!("mqtt://localhost:{port}");
    let client_id = format!("flyball-test-{port}");
    let asked = Asked {
        broker: &broker,
        client_id: &client_id,
        prefix: "site/t",
        every_ms,
        offline_messages_max,
        keep_alive_s: 2,
    };
    let timing = Timing {
        connect: Duration::from_millis(500),
        retry_first: Duration::from_millis(20),
        retry_longest: Duration::from_millis(100),
        ..Timing::default()
    };
    Settings::check(&asked).expect("the settings of the tests are sound").with_timing(timing)
}

/// Publishes a site whose meter shows the number of the scan. Each look at it is a scan later.
pub(crate) fn start(settings: Settings) -> Telemetry {
    let meter = PointDef {
        name: "meter.p".into(),
        kind: ValueKind::Real,
        unit: Unit::W,
        source: Source::Device(0),
        plausible: (-1e9, 1e9),
        age_max_ms: 3_000,
        frozen_after_ms: None,
        codes: Vec::new(),
    };
    let layout = Arc::new(Layout::new("t".into(), 10, vec![meter], Vec::new(), Vec::new(), Vec::new()));
    let (mut writer, reader) = snapshot(layout.words());
    let mut words = vec![0; layout.words()];
    let mut scan = 0u32;
    let read = move |to: &mut [u64]| {
        scan += 1;
        let reading = Reading::new(Ok(f64::from(scan)), ScanTime::from_ms(10 * u64::from(scan)));
        Layout::write(&header(scan), &[reading], &Outputs::default(), |at, word| words[at] = word);
        writer.publish(&words);
        reader.read(to)
    };
    Telemetry::start(settings, layout, read).expect("a thread can be had")
}

fn header(scan: u32) -> Header {
    Header {
        tick: u64::from(scan),
        scans: u64::from(scan),
        state: SiteState::Armed,
        degraded: false,
        quarantined: 0,
        slots_skipped: 0,
        scan_ns: 9_000,
        late_ns: 50_000,
        wall_ns: 1_800_000_000_000_000_000,
        wall_trusted: true,
        commands_refused: 0,
    }
}
