//! Each rule has a profile that breaks it: what is said, and where it points.

use crate::document::render;
use crate::profile::load;

/// Keeps every rule. Each test changes one thing.
const GOOD: &str = r#"Profile(
    vendor: "Acme",
    model: "PCS 30",
    kind: Inverter,
    sources: ["manual, rev 3"],
    certainty: B,
    verified: None,
    link: (port: 502, read_max: 40, gap_max: 4, aligned: 100, forbidden: [(Holding, 60, 69)], gap_min_ms: 5, timeout_ms: 500),
    identity: [
        Register(at: Holding(90), encoding: U16, expect: (7, 9), source: "table 1"),
        Text(at: Input(10), registers: 4, expect: "PCS", source: "table 2"),
    ],
    sunspec: (bases: [40000], models: [1, 120]),
    life: (point: "count", within_ms: 3000),
    points: {
        "p": (at: Input(0), encoding: I32, scale: (1, 10), sign: -1, unit: W, plausible: (-9e4, 9e4), poll: Fast,
            age_max_ms: 500, sync: "pq", source: "p 7"),
        "q": (at: Input(2), encoding: I16, unit: Var, plausible: (-9e4, 9e4), poll: Fast, age_max_ms: 500, sync: "pq",
            source: "p 8"),
        "count": (at: Input(4), encoding: U16, unit: None, plausible: (0, 65535), poll: Normal, age_max_ms: 2500,
            frozen_after_ms: 3000, source: "p 9"),
        "mode": (at: Holding(50), encoding: Enum, codes: [(0, "off"), (1, "on")], poll: Slow, age_max_ms: 30000, source: "p 10"),
        "fault": (at: Holding(51), encoding: Any(0x00FF), poll: Slow, age_max_ms: 30000, source: "p 11"),
        "hot": (at: Holding(51), encoding: Bit(3), poll: Slow, age_max_ms: 30000, source: "p 12"),
        "rating": (at: SunSpec(120, 3), encoding: U16, scale_factor: SunSpec(120, 4), unit: W, plausible: (0, 9e4),
            poll: Once, age_max_ms: 7200000, source: "120 WRtg"),
    },
    writables: {
        "p_set": (kind: Real(unit: W, range: (-3000, 3000), safe: 0), at: Holding(20), encoding: I16, scale: (1, 10),
            function: WriteMultiple, together: "pq", policy: (dead_band: 5, gap_min_ms: 100, refresh_ms: 1000),
            read_back: Within(ms: 1000, tolerance: 1), source: "p 20"),
        "q_set": (kind: Real(unit: Var, range: (-3000, 3000), safe: 0), at: Holding(22), encoding: I16, scale: (1, 10),
            with: [(at: Holding(21), encoding: U16, value: 4)], together: "pq", policy: (gap_min_ms: 100),
            read_back: Within(ms: 1000, tolerance: 1), source: "p 21"),
        "run": (kind: Choice(values: [("stop", 2), ("start", 1)], safe: "stop"), at: Holding(30), encoding: Enum,
            function: WriteSingle, policy: (gap_min_ms: 100, flash_writes_per_day_max: 50),
            read_back: Within(ms: 1000, tolerance: 0), source: "p 22"),
        "reset": (kind: Pulse(1), at: Coil(3), encoding: Bool, policy: (gap_min_ms: 100), read_back: Never("clears"), source: "p 23"),
    },
    heartbeat: (at: Holding(31), encoding: U16, counter: (1, 9999), every_ms: 1000, source: "p 24"),
    watchdog: Device(timeout_ms: (2000, 9000), default_ms: 4000, kept_by: Heartbeat, effect: "stops", source: "p 25"),
    connect: [
        (at: Holding(32), encoding: U16, value: WatchdogSeconds, source: "p 26"),
        (at: Holding(33), encoding: U16, scale: (1, 10), value: Value(1.5), function: WriteSingle, source: "p 27"),
    ],
    limits: ["rating"],
)"#;

/// What is said about the profile with `from` replaced, each with the text it points at.
fn complaints(from: &str, to: &str) -> Vec<(String, String)> {
    assert_eq!(GOOD.matches(from).count(), 1, "`{from}` must stand in the good profile once");
    let text = GOOD.replace(from, to);
    let problems = load(&text).err().unwrap_or_default();
    assert!(problems.iter().all(|p| p.help.is_some()), "each has a proposal: {}", render("bad", &text, &problems));
    problems.into_iter().map(|p| (p.message, text[p.span].to_owned())).collect()
}

/// That exactly one thing is said, which contains `message` and points at `place`.
fn refuses(from: &str, to: &str, message: &str, place: &str) {
    refuses_all(from, to, &[(message, place)]);
}

/// The same for several things, in the order of the text.
fn refuses_all(from: &str, to: &str, expected: &[(&str, &str)]) {
    let complaints = complaints(from, to);
    let right = complaints.len() == expected.len()
        && complaints.iter().zip(expected).all(|((said, at), (message, place))| said.contains(message) && at == place);
    assert!(right, "`{from}` → `{to}`: {complaints:#?}");
}

#[test]
fn the_good_profile_is_good() {
    if let Err(problems) = load(GOOD) {
        panic!("{}", render("good", GOOD, &problems));
    }
}

#[test]
fn facts_need_a_source_and_a_name() {
    refuses(r#""Acme""#, r#""""#, "vendor is empty", r#""""#);
    refuses(r#"["manual, rev 3"]"#, "[]", "without a source", "[]");
    refuses(r#""p 7""#, r#"" ""#, "without a source", r#"" ""#);
    refuses(r#""p 20""#, r#""""#, "without a source", r#""""#);
    refuses(r#""hot": "#, r#""Hot": "#, "no name", r#""Hot""#);
    refuses(r#""run": "#, r#""mode": "#, "a point and a writable", r#""mode""#);
}

#[test]
fn the_link_stays_within_the_protocol() {
    refuses("read_max: 40", "read_max: 126", "longest read", "126");
    refuses("gap_max: 4", "gap_max: 40", "longest hole", "40");
    refuses("timeout_ms: 500", "timeout_ms: 5", "time-out", "5");
    refuses("(Holding, 60, 69)", "(Holding, 69, 60)", "before it begins", "(Holding, 69, 60)");
    refuses("port: 502", "port: 0", "TCP port", "0");
}

#[test]
fn identities_can_be_true() {
    refuses("expect: (7, 9)", "expect: (9, 7)", "nothing lies between", "(9, 7)");
    refuses(r#"expect: "PCS""#, r#"expect: "PCS 30 kVA""#, "cannot hold this text", r#""PCS 30 kVA""#);
    refuses("at: Input(10), registers", "at: Discrete(10), registers", "bits hold no text", "Discrete(10)");
}

#[test]
fn addresses_exist() {
    let beyond = GOOD.replace("at: Holding(50)", "at: Holding(65536)");
    let problems = load(&beyond).expect_err("registers end at 65535");
    assert_eq!((problems.len(), &beyond[problems[0].span.clone()]), (1, "65536"));
    refuses("at: Input(0), encoding: I32", "at: Input(65535), encoding: I32", "beyond 65535", "Input(65535)");
    refuses("SunSpec(120, 3)", "SunSpec(120, 1)", "is no point", "SunSpec(120, 1)");
    let gone = complaints("    sunspec: (bases: [40000], models: [1, 120]),\n", "");
    assert_eq!(gone.len(), 2, "the point and its scale factor: {gone:?}");
    refuses("bases: [40000]", "bases: []", "no place to look", "[]");
    refuses("models: [1, 120]", "models: [1, 120, 120]", "given twice", "[1, 120, 120]");
}

#[test]
fn encodings_fit_their_place() {
    refuses("Bit(3)", "Bit(16)", "does not fit", "Bit(16)");
    refuses("Any(0x00FF)", "Any(0)", "does not fit", "Any(0)");
    refuses("encoding: Bool", "encoding: Enum", "does not fit here", "Enum");
    refuses("scale: (1, 10), sign: -1", "scale: (0, 10), sign: -1", "the scale", "(0, 10)");
    refuses("sign: -1", "sign: 2", "the sign is 2", "2");
    refuses("encoding: Bit(3)", "encoding: Bit(3), sign: -1", "has no `sign`", "-1");
    refuses("encoding: Bit(3)", "encoding: Bit(3), word_order: CDAB", "no word order", "Bit(3)");
    refuses("encoding: Bit(3)", "encoding: Bit(3), not_implemented: [0x1FFFF]", "more than the 16 bits", "[0x1FFFF]");
    refuses("scale_factor: SunSpec(120, 4)", "scale_factor: Coil(4)", "a scale factor is a register", "Coil(4)");
}

#[test]
fn a_point_says_what_it_holds() {
    refuses("unit: Var, plausible: (-9e4, 9e4), ", "plausible: (-9e4, 9e4), ", "without a unit", r#""q""#);
    refuses("unit: Var, plausible: (-9e4, 9e4), ", "unit: Var, ", "no plausible range", r#""q""#);
    refuses("plausible: (0, 65535)", "plausible: (65535, 0)", "from 65535 to 0", "(65535, 0)");
    refuses("encoding: Bit(3)", "encoding: Bit(3), unit: W", "has no unit", "W");
    refuses("encoding: Bit(3)", "encoding: Bit(3), plausible: (0, 1)", "no plausible range", "(0, 1)");
    refuses(r#"codes: [(0, "off"), (1, "on")], "#, "", "a code without names", "Enum");
    refuses(r#"(1, "on")"#, r#"(0, "on")"#, "given twice", r#"[(0, "off"), (0, "on")]"#);
    refuses(r#"(1, "on")"#, r#"(1, "off")"#, "does not name one code", r#"[(0, "off"), (1, "off")]"#);
    refuses("encoding: Bit(3)", r#"encoding: Bit(3), codes: [(0, "a")]"#, "has no codes", r#"[(0, "a")]"#);
}

#[test]
fn a_point_may_be_as_old_as_it_is_read_seldom() {
    refuses("age_max_ms: 2500", "age_max_ms: 1500", "read every 1000 ms", "1500");
    refuses("frozen_after_ms: 3000", "update_ms: 0", "own period", "0");
    refuses("frozen_after_ms: 3000", "frozen_after_ms: 999", "frozen after 999 ms", "999");
    refuses("age_max_ms: 7200000", "age_max_ms: 60000", "read every 3600000 ms", "60000");
}

#[test]
fn two_meanings_do_not_share_a_register() {
    refuses("at: Input(2)", "at: Input(1)", "`p` and `q` lie on the same registers", "Input(1)");
    refuses("encoding: Bit(3)", "encoding: I16, unit: A, plausible: (0, 1)", "`fault` and `hot` lie", "Holding(51)");
    refuses("SunSpec(120, 4)", "SunSpec(120, 3)", "lies on the scale factor", "SunSpec(120, 3)");
    refuses(
        "at: Holding(22), encoding: I16",
        "at: Holding(20), encoding: I16",
        "write the same registers",
        "Holding(20)",
    );
}

#[test]
fn what_cannot_be_read_is_refused() {
    refuses("at: Holding(50)", "at: Holding(65)", "forbidden range", "Holding(65)");
    refuses("at: Input(0), encoding: I32", "at: Input(99), encoding: I32", "do not fit one read", "Input(99)");
}

#[test]
fn a_synchronised_group_is_one_read() {
    refuses("at: Input(2)", "at: Input(30)", "leaves a hole", "Input(0)");
    refuses(
        "poll: Fast, age_max_ms: 500, sync: \"pq\",\n            source: \"p 8\"",
        "poll: Normal, age_max_ms: 2000, sync: \"pq\",\n            source: \"p 8\"",
        "one poll class",
        "Input(2)",
    );
}

#[test]
fn a_writable_can_be_written() {
    refuses("at: Holding(30)", "at: Input(30)", "cannot be written", "Input(30)");
    let wide = [("one by one", "Holding(30)"), ("does not fit this kind", "F32")];
    refuses_all("at: Holding(30), encoding: Enum", "at: Holding(30), encoding: F32", &wide);
    let reversed = [("from 3000 to -3000", "(3000, -3000)"), ("outside the range", "0"), ("dead band", "5")];
    refuses_all(
        "range: (-3000, 3000), safe: 0), at: Holding(20)",
        "range: (3000, -3000), safe: 0), at: Holding(20)",
        &reversed,
    );
    refuses(
        "range: (-3000, 3000), safe: 0), at: Holding(20)",
        "range: (-3000, 4000), safe: 0), at: Holding(20)",
        "cannot be written",
        "(-3000, 4000)",
    );
    refuses(
        "range: (-3000, 3000), safe: 0), at: Holding(20)",
        "range: (10, 3000), safe: 0), at: Holding(20)",
        "outside the range",
        "0",
    );
    refuses(r#"safe: "stop""#, r#"safe: "stopp""#, "none of the values", r#""stopp""#);
    refuses(r#"("start", 1)"#, r#"("start", 2)"#, "stands there twice", r#"[("stop", 2), ("start", 2)]"#);
    let lonely = [("1 values", r#"[("start", 1)]"#), ("none of the values", r#""stop""#)];
    refuses_all(r#"("stop", 2), "#, "", &lonely);
    refuses("Pulse(1)", "Pulse(2)", "cannot be written", "Pulse(2)");
    refuses("dead_band: 5", "dead_band: -1", "dead band", "-1");
    refuses("policy: (gap_min_ms: 100, flash_", "policy: (gap_min_ms: 100, dead_band: 1, flash_", "no dead band", "1");
}

#[test]
fn a_writable_without_a_policy_is_refused() {
    let text = GOOD.replace("policy: (gap_min_ms: 100, flash_writes_per_day_max: 50),\n", "");
    let problems = load(&text).expect_err("when is it to be written?");
    assert!(problems.len() == 1 && problems[0].message.contains("policy"), "{}", render("bad", &text, &problems));
}

#[test]
fn a_policy_wears_nothing_out_and_repeats_no_pulse() {
    refuses("gap_min_ms: 100, refresh_ms: 1000", "gap_min_ms: 2000, refresh_ms: 1000", "not faster than", "1000");
    refuses(
        "flash_writes_per_day_max: 50",
        "refresh_ms: 1000, flash_writes_per_day_max: 50",
        "86400 writes a day",
        "50",
    );
    refuses(
        r#"policy: (gap_min_ms: 100), read_back: Never("clears")"#,
        r#"policy: (gap_min_ms: 100, refresh_ms: 500), read_back: Never("clears")"#,
        "never repeated",
        "500",
    );
    refuses(
        r#"read_back: Never("clears")"#,
        "read_back: Within(ms: 100, tolerance: 0)",
        "a pulse does not stay",
        "Within(ms: 100, tolerance: 0)",
    );
    refuses(
        r#"read_back: Never("clears")"#,
        r#"together: "pulse", read_back: Never("clears")"#,
        "a pulse would be repeated",
        r#""pulse""#,
    );
    refuses(r#"Never("clears")"#, r#"Never("")"#, "without a reason", r#"Never("")"#);
    refuses(
        "read_back: Within(ms: 1000, tolerance: 0)",
        "read_back: Within(ms: 0, tolerance: 0)",
        "within 0 ms",
        "Within(ms: 0, tolerance: 0)",
    );
}

#[test]
fn a_group_is_one_request() {
    refuses("with: [(at: Holding(21), encoding: U16, value: 4)], ", "", "lies a hole", "Holding(22)");
    let single =
        [("3 registers cannot be written one by one", "Holding(20)"), ("one request has one function", "Holding(22)")];
    refuses_all("function: WriteMultiple", "function: WriteSingle", &single);
    let long = [
        ("number of registers is 4", "4"),
        ("do not fit one read", "Input(0)"),
        ("3 registers cannot be read back", "Holding(20)"),
    ];
    refuses_all("read_max: 40, gap_max: 4", "read_max: 2, gap_max: 1", &long);
    refuses("value: 4)", "value: 70000)", "the constant cannot be written", "70000");
}

#[test]
fn the_sign_of_life_moves() {
    refuses(r#"point: "count""#, r#"point: "cuont""#, "no point is called", r#""cuont""#);
    let flag = [("a flag is no sign of life", r#""hot""#), ("is read every 10000 ms", r#""hot""#)];
    refuses_all(r#"point: "count""#, r#"point: "hot""#, &flag);
    refuses("within_ms: 3000", "within_ms: 1500", "is read every 1000 ms", r#""count""#);
    let scaled = r#"life: (point: "p", within_ms: 3000, counts_up: true)"#;
    refuses(r#"life: (point: "count", within_ms: 3000)"#, scaled, "`p` is no plain counter", "true");
    refuses("counter: (1, 9999)", "counter: (9, 9)", "does not move", "(9, 9)");
    refuses("counter: (1, 9999)", "counter: (1, 70000)", "cannot be written", "(1, 70000)");
}

#[test]
fn the_device_stops_without_us_or_says_that_it_does_not() {
    let unsaid = [("what does this device do", r#""PCS 30""#), ("no time-out to choose", "WatchdogSeconds")];
    refuses_all(
        r#"    watchdog: Device(timeout_ms: (2000, 9000), default_ms: 4000, kept_by: Heartbeat, effect: "stops", source: "p 25"),
"#,
        "",
        &unsaid,
    );
    refuses("every_ms: 1000", "every_ms: 2000", "gives up after 2000 ms", "2000");
    refuses("kept_by: Heartbeat", r#"kept_by: Writable("p_st")"#, "no writable is called", r#"Writable("p_st")"#);
    refuses("kept_by: Heartbeat", r#"kept_by: Writable("q_set")"#, "nothing keeps", r#"Writable("q_set")"#);
    let late = r#"kept_by: Writable("p_set")"#;
    let text = GOOD.replace("kept_by: Heartbeat", late).replace("refresh_ms: 1000", "refresh_ms: 2000");
    let problems = load(&text).expect_err("the device gives up before the next write");
    assert!(problems.len() == 1 && problems[0].message.contains("gives up after 2000 ms"), "{problems:?}");
    assert!(load(&text.replace("refresh_ms: 2000", "refresh_ms: 1999")).is_ok());
    refuses("default_ms: 4000", "default_ms: 1000", "usual time-out", "1000");
    let reversed = [("from 9000 to 2000", "(9000, 2000)"), ("usual time-out", "4000")];
    refuses_all("timeout_ms: (2000, 9000)", "timeout_ms: (9000, 2000)", &reversed);
    refuses("value: WatchdogSeconds", "value: Value(4)", "never reaches the device", "(2000, 9000)");
    refuses(
        r#"Device(timeout_ms: (2000, 9000), default_ms: 4000, kept_by: Heartbeat, effect: "stops", source: "p 25")"#,
        r#"Missing(reason: "none in the manual")"#,
        "no time-out to choose",
        "WatchdogSeconds",
    );
}

#[test]
fn the_connect_sequence_can_be_written() {
    refuses("Value(1.5)", "Value(7000)", "cannot be written", "Value(7000)");
    refuses("at: Holding(33), encoding: U16", "at: Holding(33), encoding: U32", "one by one", "Holding(33)");
    refuses(r#"limits: ["rating"]"#, r#"limits: ["ratin"]"#, "no point is called `ratin`", r#""ratin""#);
    refuses(r#"limits: ["rating"]"#, r#"limits: ["rating", "rating"]"#, "given twice", r#""rating""#);
    refuses("models: [1, 120]", "models: [1]", "need not have", r#""rating""#);
}

#[test]
fn all_problems_come_at_once() {
    let text = GOOD.replace("Bit(3)", "Bit(16)").replace("sign: -1", "sign: 7").replace("\"stop\"),", "\"stp\"),");
    let text = text.replace("poll: Normal", "pol: Normal").replace("[\"rating\"]", "[\"rated\"]");
    let problems = load(&text).expect_err("five things are wrong");
    assert_eq!(problems.len(), 5, "{}", render("bad", &text, &problems));
}
