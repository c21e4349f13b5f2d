use super::*;
use crate::scan::snapshot::{Header, Layout};
use crate::telemetry::example::{WALL_MS, at_scan, site};
use flyball_io_map::image::point::Source;
use flyball_io_map::image::{Outputs, PointDef, Reading, ScanTime, Unit, ValueKind};
use proptest::prelude::*;
use std::collections::BTreeSet;

const DELIVERY: Delivery = Delivery { connections: 2, published: 30, dropped: 4, refused: 1, queued: 5 };

fn parsed(message: &Message) -> Value {
    serde_json::from_slice(&message.payload).unwrap()
}

fn round() -> Vec<(String, Value)> {
    let (layout, words) = site();
    let round = Groups::new(layout, "site/cabin").round(&words, &DELIVERY).unwrap();
    assert_eq!(round.scan, 100);
    assert!(
        round.messages.iter().all(|m| !m.retain),
        "measured values are not retained: they would look alive for ever"
    );
    round.messages.iter().map(|m| (m.topic.to_string(), parsed(m))).collect()
}

fn named(round: &[(String, Value)], topic: &str) -> Value {
    round.iter().find(|(t, _)| t == topic).unwrap_or_else(|| panic!("nothing on {topic}")).1.clone()
}

#[test]
fn a_round_has_one_message_per_device_and_those_of_site_and_outputs() {
    let topics: Vec<String> = round().into_iter().map(|(topic, _)| topic).collect();
    assert_eq!(
        topics,
        ["site/cabin/site", "site/cabin/meter", "site/cabin/pcs", "site/cabin/panel", "site/cabin/outputs"]
    );
}

#[test]
fn points_have_a_value_with_unit_and_age_or_a_reason() {
    let round = round();
    let expected = json!({ "scan": 100, "t_ms": WALL_MS, "t_trusted": true, "points": {
        "p": { "v": -1250.5, "unit": "W", "age_ms": 100 },
        "f": { "v": null, "why": "device silent" },
    }});
    assert_eq!(named(&round, "site/cabin/meter"), expected);
    let expected = json!({ "scan": 100, "t_ms": WALL_MS, "t_trusted": true, "points": {
        "state": { "v": 3, "name": "charging", "age_ms": 250 },
        "soc": { "v": null, "why": "never read" },
    }});
    assert_eq!(named(&round, "site/cabin/pcs"), expected);
    assert_eq!(named(&round, "site/cabin/panel")["points"], json!({ "estop": { "v": true, "age_ms": 0 } }));
}

#[test]
fn outputs_have_a_value_and_a_sentence_for_what_binds_them() {
    let expected = json!({
        "pcs.p": { "v": 1500.0, "base": 1500.0, "added": 0.0, "unit": "W", "cause": "limited by battery_limits" },
        "panel.contactor": { "v": "open", "cause": "no demand" },
        "pcs.reset": { "waiting_id": 7 },
    });
    assert_eq!(named(&round(), "site/cabin/outputs")["outputs"], expected);
}

#[test]
fn the_site_tells_its_state_its_counters_and_its_own_points() {
    let expected = json!({
        "scan": 100, "tick": 100, "t_ms": WALL_MS, "t_trusted": true, "site": "cabin", "state": "armed", "degraded": false,
        "programs_quarantined": 1, "slots_skipped": 2, "scan_us": 8, "late_us": 52, "commands_refused": 3,
        "mqtt": { "connections": 2, "published": 30, "dropped": 4, "refused": 1, "queued": 5 },
        "points": { "soc": { "v": 55.0, "unit": "%", "age_ms": 250 } },
    });
    assert_eq!(named(&round(), "site/cabin/site"), expected);
}

#[test]
fn a_value_that_grew_too_old_says_so() {
    let (layout, words) = site();
    let groups = Groups::new(layout, "s");
    let late = groups.round(&at_scan(&words, 500), &DELIVERY).unwrap();
    let meter = parsed(&late.messages[1]);
    assert_eq!(meter["points"]["p"], json!({ "v": null, "why": "4100 ms old, 3000 ms allowed" }));
}

#[test]
fn an_unknown_wall_clock_is_null_and_not_1970() {
    let (layout, mut words) = site();
    words[6] = 0;
    let round = Groups::new(layout, "s").round(&words, &DELIVERY).unwrap();
    for message in &round.messages {
        assert_eq!((&parsed(message)["t_ms"], &parsed(message)["t_trusted"]), (&Value::Null, &json!(false)));
    }
}

#[test]
fn words_of_another_site_give_no_messages() {
    let (layout, words) = site();
    let groups = Groups::new(layout, "s");
    assert_eq!(groups.round(&words[1..], &DELIVERY), None);
    assert_eq!(groups.round(&[], &DELIVERY), None);
}

#[test]
fn the_state_is_a_retained_word() {
    let (layout, _) = site();
    let groups = Groups::new(layout, "site/cabin");
    for (online, word) in [(true, "online"), (false, "offline")] {
        let message = groups.state(online);
        assert_eq!((&*message.topic, &*message.payload, message.retain), ("site/cabin/state", word.as_bytes(), true));
    }
}

#[test]
fn the_description_names_units_ranges_and_codes_and_is_retained() {
    let (layout, _) = site();
    let meta = Groups::new(layout, "site/cabin").meta(1_000);
    assert_eq!((&*meta.topic, meta.retain), ("site/cabin/meta", true));
    let meta = parsed(&meta);
    assert_eq!(
        (&meta["site"], &meta["scan_period_ms"], &meta["every_ms"]),
        (&json!("cabin"), &json!(10), &json!(1_000))
    );
    let expected =
        json!({ "kind": "real", "source": "device", "unit": "W", "age_max_ms": 3_000, "plausible": [-1e6, 1e6] });
    assert_eq!(meta["groups"]["site/cabin/meter"]["p"], expected);
    assert_eq!(meta["groups"]["site/cabin/pcs"]["state"]["codes"], json!({ "0": "off", "3": "charging" }));
    assert_eq!(meta["groups"]["site/cabin/site"]["soc"]["source"], json!("computed"));
    assert_eq!(
        meta["outputs"]["pcs.p"],
        json!({ "kind": "real", "unit": "W", "range": [-5000.0, 5000.0], "safe": 0.0 })
    );
    assert_eq!(
        meta["outputs"]["panel.contactor"],
        json!({ "kind": "choice", "values": ["open", "closed"], "safe": "open" })
    );
    assert_eq!(meta["outputs"]["pcs.reset"], json!({ "kind": "pulse" }));
}

#[test]
fn a_devices_name_is_one_level_of_a_topic_whatever_it_holds() {
    let table = [
        ("meter", "meter"),
        ("Zähler 1", "Zähler 1"),
        ("a/b", "a%2Fb"),
        ("a+", "a%2B"),
        ("#", "%23"),
        ("100%", "100%25"),
        ("a\u{0}b", "a%00b"),
        ("", "%"),
        ("state", "%73tate"),
        ("site", "%73ite"),
        ("sites", "sites"),
    ];
    for (device, topic) in table {
        assert_eq!(level(device), topic);
    }
}

fn any_site(names: BTreeSet<String>) -> (Arc<Layout>, usize) {
    let count = names.len();
    let def = |name| PointDef {
        name,
        kind: ValueKind::Real,
        unit: Unit::W,
        source: Source::System,
        plausible: (f64::NEG_INFINITY, f64::INFINITY),
        age_max_ms: 1_000,
        frozen_after_ms: None,
        codes: Vec::new(),
    };
    (
        Arc::new(Layout::new(
            "any".into(),
            10,
            names.into_iter().map(def).collect(),
            Vec::new(),
            Vec::new(),
            Vec::new(),
        )),
        count,
    )
}

proptest! {
    #[test]
    fn whatever_names_and_words_there_are_every_point_is_told_once_in_valid_json(
        names in proptest::collection::btree_set("(.{0,6}|[a-z+#/%]{0,3}\\.|site\\.|state\\.|meta\\.|outputs\\.).{0,6}", 0..12),
        seed in any::<u64>(),
    ) {
        let (layout, count) = any_site(names);
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut any_reading = |_| Reading::new(Ok(f64::from_bits(chance.u64(..))), ScanTime(chance.u64(..1 << 50)));
        let readings: Vec<Reading> = (0..count).map(&mut any_reading).collect();
        let header = View::new(&layout, &vec![0; layout.words()]).unwrap().header();
        let header = Header { tick: chance.u64(..1 << 40), scans: chance.u64(..), ..header };
        let mut words = vec![0; layout.words()];
        Layout::write(&header, &readings, &Outputs::default(), |at, word| words[at] = word);
        let groups = Groups::new(layout, "p");
        let round = groups.round(&words, &DELIVERY).unwrap();
        let topics: BTreeSet<_> = round.messages.iter().map(|m| m.topic.clone()).chain([groups.state.clone(), groups.meta.clone()]).collect();
        prop_assert_eq!(topics.len(), round.messages.len() + 2, "two groups share a topic");
        prop_assert!(topics.iter().all(|t| !t[2..].contains(['+', '#', '/', '\0']) && t.len() > 2));
        let points: usize = round.messages.iter().map(|m| parsed(m)["points"].as_object().map_or(0, Map::len)).sum();
        prop_assert_eq!(points, count);
        prop_assert!(round.messages.iter().all(|m| parsed(m)["scan"] == json!(header.scans)));
        prop_assert!(serde_json::from_slice::<Value>(&groups.meta(1_000).payload).is_ok());
    }
}
