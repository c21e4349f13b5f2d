//! What `demo` and `run` show of a running site: one line while it runs, a summary at its end.

use flyball_io_map::image::wiring::{OutputAt, OutputKind};
use flyball_io_map::image::{Cause, Unit};
use flyball_runtime::clock::Deadline;
use flyball_runtime::scan::snapshot::{Header, View};
use flyball_runtime::site::{Running, Stopped};
use serde_json::{Value, json};
use std::fmt::Write;

/// Time in the site's own scans, state, the first points of each device in W and %, outputs with their causes.
pub(crate) fn status_line(running: &Running, view: &View<'_>) -> String {
    let header = view.header();
    let layout = view.layout();
    let mut line = format!("scan {:>7} {:<8}", header.scans, header.state.name());
    for (name, value) in headline(view) {
        let _ = write!(line, "  {name} {value}");
    }
    for (def, at) in layout.outputs.iter().zip(&layout.at).filter(|(def, _)| !def.members.is_empty()) {
        if let (OutputAt::Real(slot), OutputKind::Real { unit, .. }) = (at, &def.kind) {
            let real = view.real(*slot);
            let cause = Cause::describe(real.cause, |by| layout.program(by));
            let _ = write!(line, "  {} {:.0} {unit} ({cause})", def.name, real.total);
        }
    }
    let micros = |ns: u64| ns / 1_000;
    let _ = write!(line, "  scan {} µs, skipped {}", micros(header.scan_ns), header.slots_skipped);
    if let Some(mqtt) = running.telemetry() {
        let _ = write!(line, "  mqtt {}", if mqtt.connected { "up" } else { "down" });
    }
    line
}

/// The points people look at first: powers and states of charge, as numbers or as reasons.
fn headline(view: &View<'_>) -> Vec<(String, String)> {
    let layout = view.layout();
    let wanted = |name: &str, unit: Unit| match unit {
        Unit::W => name.ends_with(".p") || name.ends_with(".p_actual"),
        Unit::Percent => name.ends_with(".soc"),
        _ => false,
    };
    let points = layout.points.iter().enumerate().filter(|(_, p)| wanted(&p.name, p.unit));
    let shown = points.map(|(i, p)| {
        let value = view.value(i).map_or_else(|why| format!("({why})"), |v| format!("{v:.0} {}", p.unit));
        (p.name.clone(), value)
    });
    shown.collect()
}

/// What a run amounted to.
pub(crate) struct Summary {
    header: Option<Header>,
    values: Vec<(String, String)>,
    late_ns_max: u64,
    scan_ns_max: u64,
    mqtt_published: Option<u64>,
    scada_requests: Option<u64>,
}

impl Summary {
    pub(crate) fn of(running: &Running, words: &mut [u64]) -> Self {
        let mut seen = None;
        flyball_runtime::clock::until(Deadline::after_ms(100), || {
            seen = running.snapshot().read(words);
            seen.is_some()
        });
        let view = seen.and_then(|_| View::new(running.layout(), words));
        let stats = running.stats();
        Self {
            header: view.map(|v| v.header()),
            values: view.as_ref().map(headline).unwrap_or_default(),
            late_ns_max: stats.lateness.counts().worst_ns,
            scan_ns_max: stats.scan_time.counts().worst_ns,
            mqtt_published: running.telemetry().map(|t| t.delivery.published),
            scada_requests: running.scada_requests(),
        }
    }

    pub(crate) fn text(&self, stopped: &Stopped) -> String {
        let Some(header) = self.header else {
            return "no scan was completed".into();
        };
        let mut text = format!(
            "{} scans, {} slots skipped, state {}; latest wake-up {} µs after its slot, longest scan {} µs",
            header.scans,
            header.slots_skipped,
            header.state.name(),
            self.late_ns_max / 1_000,
            self.scan_ns_max / 1_000
        );
        for (name, value) in &self.values {
            let _ = write!(text, "\n  {name} {value}");
        }
        if let Some(requests) = self.scada_requests {
            let _ = write!(text, "\n  SCADA requests answered: {requests}");
        }
        if let Some(published) = self.mqtt_published {
            let _ = write!(text, "\n  MQTT messages published: {published}");
        }
        let _ = write!(text, "\nstopped: {stopped}");
        text
    }

    pub(crate) fn json(&self, stopped: &Stopped) -> String {
        let header = self.header.map_or(Value::Null, |h| {
            json!({"scans": h.scans, "skipped": h.slots_skipped, "state": h.state.name(), "degraded": h.degraded,
                "commands_refused": h.commands_refused})
        });
        let values: serde_json::Map<String, Value> = self.values.iter().map(|(n, v)| (n.clone(), json!(v))).collect();
        json!({"summary": header, "late_us_max": self.late_ns_max / 1_000, "scan_us_max": self.scan_ns_max / 1_000,
            "points": values, "scada_requests": self.scada_requests, "mqtt_published": self.mqtt_published,
            "safe": stopped.safe, "field_done": stopped.field_done})
        .to_string()
    }
}
