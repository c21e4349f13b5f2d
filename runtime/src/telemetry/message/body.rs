//! The JSON of points, outputs and the site. Every value that is no number is null, never NaN.

use super::Delivery;
use crate::scan::snapshot::View;
use flyball_io_map::image::point::Source;
use flyball_io_map::image::wiring::{OutputAt, OutputDef, OutputKind};
use flyball_io_map::image::{Cause, Code, Flag, Kind, PointDef, Unit, ValueKind};
use serde_json::{Map, Number, Value, json};

/// What every message of a round begins with: the scan that it shows and when that was.
pub(super) fn stamp(view: &View<'_>) -> Map<String, Value> {
    let header = view.header();
    let t_ms = if header.wall_ns == 0 { Value::Null } else { json!(header.wall_ns / 1_000_000) };
    let mut body = Map::new();
    body.insert("scan".into(), json!(header.scans));
    body.insert("t_ms".into(), t_ms);
    body.insert("t_trusted".into(), json!(header.wall_trusted && header.wall_ns != 0));
    body
}

/// The site's message but for its points.
pub(super) fn site(view: &View<'_>, delivery: &Delivery) -> Map<String, Value> {
    let header = view.header();
    let mut body = stamp(view);
    let mut put = |key: &str, value: Value| body.insert(key.into(), value);
    put("site", json!(view.layout().site));
    put("state", json!(header.state.name()));
    put("degraded", json!(header.degraded));
    put("programs_quarantined", json!(header.quarantined));
    put("tick", json!(header.tick));
    put("slots_skipped", json!(header.slots_skipped));
    put("scan_us", json!(header.scan_ns / 1_000));
    put("late_us", json!(header.late_ns / 1_000));
    put("commands_refused", json!(header.commands_refused));
    let Delivery { connections, published, dropped, refused, queued } = delivery;
    let delivery = json!({
        "connections": connections, "published": published, "dropped": dropped, "refused": refused, "queued": queued,
    });
    put("mqtt", delivery);
    body
}

/// A point's value with its unit and age, or why there is none.
pub(super) fn point(view: &View<'_>, point: usize) -> Value {
    let def = &view.layout().points[point];
    let value = match view.value(point) {
        Ok(value) => value,
        Err(why) => return json!({ "v": null, "why": why.to_string() }),
    };
    let mut body = Map::new();
    match def.kind {
        ValueKind::Real => body.insert("v".into(), number(value)),
        ValueKind::Flag => body.insert("v".into(), json!(Flag::from_image(value))),
        ValueKind::Code => {
            let code = Code::from_image(value);
            if let Some((_, name)) = def.codes.iter().find(|(c, _)| *c == code) {
                body.insert("name".into(), json!(name));
            }
            body.insert("v".into(), json!(code))
        }
    };
    put_unit(&mut body, def.unit);
    body.insert("age_ms".into(), json!(view.now().since(view.reading(point).taken()) / 1_000_000));
    Value::Object(body)
}

/// All outputs with what binds each.
pub(super) fn outputs(view: &View<'_>) -> Value {
    let layout = view.layout();
    let entry = |(def, at): (&OutputDef, &OutputAt)| (def.name.clone(), output(view, def, *at));
    Value::Object(layout.outputs.iter().zip(&layout.at).map(entry).collect())
}

fn output(view: &View<'_>, def: &OutputDef, at: OutputAt) -> Value {
    let layout = view.layout();
    let cause = |code| Cause::describe(code, |by| layout.program(by));
    let mut body = Map::new();
    match at {
        OutputAt::Real(slot) => {
            let real = view.real(slot);
            body.insert("v".into(), number(real.total));
            body.insert("base".into(), number(real.base));
            body.insert("added".into(), number(real.added));
            if let OutputKind::Real { unit, .. } = &def.kind {
                put_unit(&mut body, *unit);
            }
            body.insert("cause".into(), json!(cause(real.cause)));
        }
        OutputAt::Choice(slot) => {
            let (value, code) = view.choice(slot);
            let name = match &def.kind {
                OutputKind::Choice { values, .. } => values.get(usize::from(value)),
                _ => None,
            };
            body.insert("v".into(), name.map_or(json!(value), |name| json!(name)));
            body.insert("cause".into(), json!(cause(code)));
        }
        OutputAt::Pulse(slot) => {
            let id = view.pulse(slot);
            body.insert("waiting_id".into(), if id == 0 { Value::Null } else { json!(id) });
        }
    }
    Value::Object(body)
}

/// What a point's name stands for.
pub(super) fn point_meta(def: &PointDef) -> Value {
    let kind = match def.kind {
        ValueKind::Real => "real",
        ValueKind::Flag => "flag",
        ValueKind::Code => "code",
    };
    let source = match def.source {
        Source::Device(_) => "device",
        Source::System => "system",
        Source::Command => "command",
        Source::Computed => "computed",
    };
    let mut body = Map::new();
    body.insert("kind".into(), json!(kind));
    body.insert("source".into(), json!(source));
    body.insert("age_max_ms".into(), json!(def.age_max_ms));
    put_unit(&mut body, def.unit);
    if def.kind == ValueKind::Real {
        body.insert("plausible".into(), json!([number(def.plausible.0), number(def.plausible.1)]));
    }
    if !def.codes.is_empty() {
        let codes: Map<String, Value> = def.codes.iter().map(|(c, name)| (c.to_string(), json!(name))).collect();
        body.insert("codes".into(), Value::Object(codes));
    }
    Value::Object(body)
}

/// What an output's name stands for.
pub(super) fn output_meta(def: &OutputDef) -> Value {
    match &def.kind {
        OutputKind::Real { unit, rule } => {
            let mut body = Map::new();
            body.insert("kind".into(), json!("real"));
            put_unit(&mut body, *unit);
            body.insert("range".into(), json!([number(rule.range.0), number(rule.range.1)]));
            body.insert("safe".into(), number(rule.safe));
            Value::Object(body)
        }
        OutputKind::Choice { values, rule } => {
            json!({ "kind": "choice", "values": values, "safe": values.get(usize::from(rule.safe)) })
        }
        OutputKind::Pulse => json!({ "kind": "pulse" }),
    }
}

fn put_unit(body: &mut Map<String, Value>, unit: Unit) {
    if unit != Unit::None {
        body.insert("unit".into(), json!(unit.symbol()));
    }
}

/// JSON has no NaN and no infinities: they are null.
fn number(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}
