//! Each kind of bad input: an edit of a good site, and what is said about it: `line:column message | help`.

mod test_site;

use test_site::{GOOD, said};

/// An edit, and all that is said about the result.
type Case<'a> = (&'a str, &'a str, &'a [&'a str]);

fn refused(cases: &[Case<'_>]) {
    for (from, to, expected) in cases {
        assert!(GOOD.contains(from), "{from}");
        assert_eq!(said(&GOOD.replacen(from, to, 1)), *expected, "{from} → {to}");
    }
}

#[test]
fn bad_input_in_the_scan_and_the_site_itself_is_said_with_its_place() {
    refused(&[
        (r#"name: "test-site""#, r#"name: "test site""#, &[
            "4:11 `test site` cannot be the name of a site | 1 to 48 letters, digits, `_` and `-`",
        ]),
        (r#"name: "test-site","#, "", &[
            "3:1 `name` is missing from `Site`",
        ]),
        ("period_ms: 10", "period_ms: 0", &[
            "5:23 `period_ms` is 0, which makes no sense | 1 to 1000 would",
        ]),
        ("period_ms: 10", "period_ms: 100000", &[
            "5:23 `period_ms` is 100000, which makes no sense | 1 to 1000 would",
            "9:101 polled every 20 ms, but a scan takes the newest reading only every 1000 ms | 1000 ms or more",
            "10:101 polled every 100 ms, but a scan takes the newest reading only every 1000 ms | 1000 ms or more",
            "11:97 polled every 100 ms, but a scan takes the newest reading only every 1000 ms | 1000 ms or more",
        ]),
        ("period_ms: 10", "period_ms: -10", &[
            "5:23 `-10` is out of the range allowed here",
        ]),
        ("period_ms: 10", r#"period_ms: "10""#, &[
            r#"5:23 expected a whole number, found `"10"`"#,
        ]),
        ("period_ms: 10", "perod_ms: 10", &[
            "5:12 unknown key `perod_ms` | did you mean `period_ms`?",
        ]),
        ("degrade: (3, 10)", "degrade: (11, 10)", &[
            "5:46 `degrade: (11, 10)` makes no sense as so many skipped slots of so many | 1 or more of at most 1024",
            "5:62 trips after 10 skipped slots, but degrades only after 11 | a site degrades first; more skipped slots trip it",
        ]),
        ("degrade: (3, 10)", "degrade: (0, 10)", &[
            "5:46 `degrade: (0, 10)` makes no sense as so many skipped slots of so many | 1 or more of at most 1024",
        ]),
        ("trip: (10, 100)", "trip: (2, 100)", &[
            "5:61 trips after 2 skipped slots, but degrades only after 3 | a site degrades first; more skipped slots trip it",
        ]),
        ("trip: (10, 100)", "trip: (10, 5000)", &[
            "5:61 `trip: (10, 5000)` makes no sense as so many skipped slots of so many | 1 or more of at most 1024",
        ]),
        (r#"shed: ["SelfConsumption"]"#, r#"shed: ["SelfConsumtion"]"#, &[
            "5:79 no program is called `SelfConsumtion` | did you mean `SelfConsumption`?",
        ]),
        (r#"shed: ["SelfConsumption"]"#, r#"shed: ["SelfConsumption", "SelfConsumption"]"#, &[
            "5:98 `SelfConsumption` is listed twice",
        ]),
        ("realtime: BestEffort", "realtime: Best", &[
            "5:110 `Best` is none of the choices here | the choices are `Required`, `BestEffort`",
        ]),
        ("priority: 40", "priority: 0", &[
            "5:132 `priority` is 0, which makes no sense | 1 to 98 would",
        ]),
        ("priority: 40", "priority: 99", &[
            "5:132 `priority` is 99, which makes no sense | 1 to 98 would",
        ]),
        ("cpus: [1]", "cpus: [1, 1]", &[
            "5:146 CPU 1 is listed twice",
        ]),
        ("arm: Manual", "arm: Auto", &[
            "29:109 no command is called `site.arm` | the choices are `site.reset`, `cmd.p`",
        ]),
        ("arm: Manual", "arm: Manul", &[
            "6:10 `Manul` is none of the choices here | did you mean `Manual`?",
        ]),
        ("arm: Manual", "arn: Manual", &[
            "6:5 unknown key `arn` | did you mean `arm`?",
        ]),
        (r#""./meter.ron", bus: "lan""#, r#""./meter.ron", bus: "land""#, &[
            "10:48 no bus is called `land` | did you mean `lan`?",
        ]),
        (r#""./meter.ron", bus: "lan", address: "127.0.0.1:15022""#, r#""./meter.ron", bus: "lan", address: "127.0.0.1:15021""#, &[
            "9:101 `panel` is polled every 20 ms, but its endpoint needs 50 ms for its 4 requests | poll less often, or say with `answer_ms` that its devices answer faster than their time-out",
            "10:89 unit 1 at 127.0.0.1:15021 is the device `panel` already | two devices at one address have different unit ids",
        ]),
        ("reaction_ms_max: 1500", "reaction_ms_max: 550", &[
            "21:22 `ess.p` begins to go safe 1080 ms after `pcs.charge_a_max` is lost, but 550 ms are needed | through `BatteryLimits`: let it accept less age, or narrow `age_max_ms` of the point",
            "21:22 `pcs.p` begins to go safe 580 ms after `panel.estop` is lost, but 550 ms are needed | through `EmergencyStop`: let it accept less age, or narrow `age_max_ms` of the point",
        ]),
        (r#""mqtt://127.0.0.1:1883""#, r#""127.0.0.1:1883""#, &[
            r#"30:20 `127.0.0.1:1883` is not the address of a broker | like "mqtt://127.0.0.1:1883""#,
        ]),
        (r#""mqtt://127.0.0.1:1883""#, r#""mqtt://:1883""#, &[
            r#"30:20 `mqtt://:1883` is not the address of a broker | like "mqtt://127.0.0.1:1883""#,
        ]),
        (r#""mqtt://127.0.0.1:1883""#, r#""mqtt://broker:0""#, &[
            r#"30:20 `mqtt://broker:0` is not the address of a broker | like "mqtt://127.0.0.1:1883""#,
        ]),
        ("reaction_ms_max: 1500", "reaction_ms_max: 0", &[
            "21:22 `reaction_ms_max` is 0, which makes no sense | 1 to 3600000 would",
        ]),
    ]);
}

#[test]
fn bad_input_in_devices_is_said_with_its_place() {
    refused(&[
        (r#""lan": ModbusTcp()"#, r#""lan": ModbusTpc()"#, &[
            "7:21 `ModbusTpc` is none of the choices here | did you mean `ModbusTcp`?",
        ]),
        (r#""lan": ModbusTcp()"#, r#""lan": ModbusTcp(port: 502)"#, &[
            "7:31 unknown key `port`",
        ]),
        (r#"profile: "./meter.ron""#, r#"profile: "carlo-gavazzi/em54""#, &[
            "10:28 no profile is called `carlo-gavazzi/em54` | did you mean `carlo-gavazzi/em540`?",
        ]),
        (r#"profile: "./meter.ron""#, r#"profile: "./metre.ron""#, &[
            "10:28 `./metre.ron` cannot be read: no such file",
        ]),
        (r#"profile: "./meter.ron""#, r#"profile: "./../../etc/passwd""#, &[
            r#"10:28 `./../../etc/passwd` is not a file beside the site file | like "./my-meter.ron", in the site's folder or below"#,
        ]),
        (r#"profile: "./meter.ron""#, r#"profile: "./broken.ron""#, &[
            "10:28 the profile `./broken.ron` has 1 problem | they are listed behind those of the site",
            "(profile) 2:50 `Metre` is none of the choices here | did you mean `Meter`?",
        ]),
        (r#"profile: "./meter.ron""#, r#"profil: "./meter.ron""#, &[
            "10:19 unknown key `profil` | did you mean `profile`?",
        ]),
        (r#""127.0.0.1:15022""#, r#""meter.local:502""#, &[
            r#"10:64 `meter.local:502` is not the address of a device | an IP address with or without a port, like "192.168.1.50:502""#,
        ]),
        (r#""127.0.0.1:15022""#, r#""127.0.0.1:99999""#, &[
            r#"10:64 `127.0.0.1:99999` is not the address of a device | an IP address with or without a port, like "192.168.1.50:502""#,
        ]),
        (r#""127.0.0.1:15022""#, r#""0.0.0.0:502""#, &[
            r#"10:64 `0.0.0.0:502` is not the address of a device | an IP address with or without a port, like "192.168.1.50:502""#,
        ]),
        ("unit: 1, poll_ms: 100, answer_ms: 20, watchdog_ms", "unit: 250, poll_ms: 100, answer_ms: 20, watchdog_ms", &[
            "11:85 unit id 250 is reserved | 0 to 247, or 255",
        ]),
        ("unit: 1, poll_ms: 100, answer_ms: 20, watchdog_ms", "unit: 256, poll_ms: 100, answer_ms: 20, watchdog_ms", &[
            "11:85 `256` is out of the range allowed here",
        ]),
        ("poll_ms: 20", "poll_ms: 0", &[
            "9:101 `poll_ms` is 0, which makes no sense | 1 to 600000 would",
        ]),
        ("poll_ms: 20", "poll_ms: 5", &[
            "9:101 polled every 5 ms, but a scan takes the newest reading only every 10 ms | 10 ms or more",
            "9:101 `panel` is polled every 5 ms, but its endpoint needs 10 ms for its 2 requests | poll less often, or say with `answer_ms` that its devices answer faster than their time-out",
        ]),
        ("poll_ms: 20", "poll_ms: 4000000", &[
            "9:101 `poll_ms` is 4000000, which makes no sense | 1 to 600000 would",
        ]),
        ("poll_ms: 20, answer_ms: 5", "poll_ms: 20", &[
            "9:101 `panel` is polled every 20 ms, but its endpoint needs 400 ms for its 2 requests | poll less often, or say with `answer_ms` that its devices answer faster than their time-out",
        ]),
        ("answer_ms: 5", "answer_ms: 0", &[
            "9:116 `answer_ms` is 0, which makes no sense | 1 to 200 would",
        ]),
        ("answer_ms: 5", "answer_ms: 500", &[
            "9:116 `answer_ms` is 500, which makes no sense | 1 to 200 would",
        ]),
        ("watchdog_ms: 5000", "watchdog_ms: 100", &[
            "11:130 `watchdog_ms` is 100, which makes no sense | 2000 to 60000 would",
        ]),
        ("watchdog_ms: 5000", "watchdog_ms: 1000000", &[
            "11:130 `watchdog_ms` is 1000000, which makes no sense | 2000 to 60000 would",
        ]),
        ("watchdog_ms: 5000", "accepts_no_watchdog: true", &[
            "11:138 `pcs` does not need this: nothing is written to it without its own watchdog | leave `accepts_no_watchdog` out",
        ]),
        ("poll_ms: 20, answer_ms: 5", "poll_ms: 20, answer_ms: 5, watchdog_ms: 3000", &[
            "9:132 `watchdog_ms` is 3000, which makes no sense | only 2000 would",
        ]),
        (r#""meter": (profile"#, r#""site": (profile"#, &[
            "10:9 `site` is a name of the controller itself | give the device another name",
            "13:15 no device has the point `meter.p` | the choices are `panel.estop`, `panel.reset`, `panel.online`, `site.p`, `site.energy`, `site.online`, `pcs.p_actual`, `pcs.voltage`, `pcs.charge_a_max`, `pcs.discharge_a_max`, `pcs.soc`, `pcs.state`, `pcs.online`",
            "26:31 nobody provides the point `meter.p` | a point that a program computes is known only to the programs after it",
        ]),
        (r#""meter": (profile"#, r#""met er": (profile"#, &[
            "10:9 `met er` cannot be the name of a device | 1 to 48 letters, digits, `_` and `-`",
            "13:15 no device has the point `meter.p` | did you mean `met er.p`?",
            "26:31 nobody provides the point `meter.p` | did you mean `met er.p`?",
        ]),
        (r#""meter": (profile"#, r#""pcs": (profile"#, &[
            "11:9 `pcs` is given twice | it was first given at 10:9: keep one of them",
            "13:15 no device has the point `meter.p` | the choices are `panel.estop`, `panel.reset`, `panel.online`, `pcs.p`, `pcs.energy`, `pcs.online`",
            "26:31 nobody provides the point `meter.p` | a point that a program computes is known only to the programs after it",
        ]),
        ("watchdog_ms: 5000", "watchdog_ms: 5500", &[
            "11:130 the device would make 6000 ms of a watchdog time of 5500 ms | choose what it can count",
        ]),
        (r#"profile: "./panel.ron""#, r#"profile: "./relay.ron""#, &[
            "9:9 `panel` has outputs but no watchdog: without us it goes on for ever with what was written last | its manual knows of none; `accepts_no_watchdog: true` says that the site is safe all the same",
            "9:9 `panel` has outputs, but its profile was never proven against anything | prove it first; `accepts_unverified_writes: true` writes all the same",
            "16:9 the Nobody Test relay has nothing to write that is called `contactor` | the only choice is `k1`",
            "23:30 nobody provides the point `panel.estop` | a point that a program computes is known only to the programs after it",
            "23:52 nobody provides the point `panel.reset` | a point that a program computes is known only to the programs after it",
        ]),
        ("poll_ms: 20", "poll_ms: 1995", &[
            "9:9 the watchdog of `panel` expires after 2000 ms, but is kept alive only every 1995 ms | with 10 ms until a request's turn that is up to 2005 ms: choose a longer `watchdog_ms`",
            "9:101 `panel.reset` may be 2015 ms old while all is healthy, but no older than 500 ms is allowed | read every 1995 ms, up to 10 ms for its turn and answer, 10 ms for the scan: poll faster, or accept more",
            "21:22 `pcs.p` reacts to `panel.estop` within 2085 ms, but 1500 ms are needed | through `EmergencyStop`: poll faster, or state a need that can be met",
            "21:22 `panel.contactor` reacts to `panel.estop` within 2035 ms, but 1500 ms are needed | through `EmergencyStop`: poll faster, or state a need that can be met",
        ]),
    ]);
}

#[test]
fn bad_input_in_points_is_said_with_its_place() {
    refused(&[
        (r#""meter.p": (age"#, r#""meter.pp": (age"#, &[
            "13:15 no device has the point `meter.pp` | did you mean `meter.p`?",
        ]),
        (r#""meter.p": (age"#, r#""metre.p": (age"#, &[
            "13:15 no device has the point `metre.p` | did you mean `meter.p`?",
        ]),
        ("age_max_ms: 500, pl", "age_max_ms: 900, pl", &[
            "13:39 `age_max_ms` of 900 ms is wider than the profile's 800 ms | a site can only narrow it",
        ]),
        ("age_max_ms: 500, pl", "age_max_ms: 0, pl", &[
            "13:39 `age_max_ms` is 0, which makes no sense | 1 to 800 would",
        ]),
        ("age_max_ms: 500, pl", "age_max_ms: 120, pl", &[
            "13:39 `meter.p` may be 150 ms old while all is healthy, but no older than 120 ms is allowed | read every 100 ms, up to 40 ms for its turn and answer, 10 ms for the scan: poll faster, or accept more",
        ]),
        ("(age_max_ms: 500, plausible: (-20000, 20000))", "()", &[
            "13:15 nothing is said about `meter.p` | leave it out",
        ]),
        ("plausible: (-20000, 20000)", "plausible: (20000, -20000)", &[
            "13:55 `plausible` goes from 20000 to -20000: the lower end comes first and is below the higher | (-20000, 20000)",
        ]),
        ("plausible: (-20000, 20000)", "plausible: (-20000, 200000)", &[
            "13:55 `plausible` from -20000 to 200000 is wider than what the profile says, -100000 to 100000 | a site can only narrow it",
        ]),
        (r#""meter.p": (age_max_ms: 500, plausible: (-20000, 20000))"#, r#""pcs.state": (plausible: (0, 1))"#, &[
            "13:40 `pcs.state` is a code and has no range to narrow | leave `plausible` out",
        ]),
    ]);
}

#[test]
fn bad_input_in_outputs_is_said_with_its_place() {
    refused(&[
        (r#""pcs.p": (unit: W, range: (-5000, 5000), ramp_per_s: 5000, ramp_out_per_s: 2500),"#, "", &[
            "11:9 the watchdog of `pcs` is kept alive by writing `pcs.p`, which is no output here | list `pcs.p` under `outputs`",
            "19:35 no output is called `pcs.p` | the choices are `panel.contactor`, `pcs.alarm_reset`",
            "23:103 no output is called `pcs.p` | did you mean `ess.p`?",
        ]),
        (r#""pcs.p": (unit: W, "#, r#""pcs.p": ("#, &[
            "15:9 `unit` is missing from `pcs.p` | physical limits have no defaults: it is in W",
        ]),
        (r#""pcs.p": (unit: W, "#, r#""pcs.p": (unit: Var, "#, &[
            "15:25 `pcs.p` is given in var, but the device takes W | `unit: W`, and the numbers in it",
        ]),
        (r#""pcs.p": (unit: W, "#, r#""pcs.p": (unit: kW, "#, &[
            "15:25 `kW` is none of the choices here | did you mean `W`?",
        ]),
        (r#""pcs.p": (unit: W, "#, r#""pcs.pp": (unit: W, "#, &[
            "15:9 the Nobody Test inverter has nothing to write that is called `pp` | did you mean `p`?",
        ]),
        (r#""pcs.p": (unit: W, "#, r#""psc.p": (unit: W, "#, &[
            "15:9 no device is called `psc` | did you mean `pcs`?",
        ]),
        (r#""pcs.p": (unit: W, "#, r#""pcs.soc": (unit: W, "#, &[
            "11:9 the watchdog of `pcs` is kept alive by writing `pcs.p`, which is no output here | list `pcs.p` under `outputs`",
            "15:9 `pcs.soc` is a point of the Nobody Test inverter, not something that is written | the choices are `p`, `q`, `alarm_reset`",
            "19:35 no output is called `pcs.p` | the choices are `panel.contactor`, `pcs.alarm_reset`",
            "23:103 no output is called `pcs.p` | did you mean `ess.p`?",
        ]),
        (r#""pcs.p": (unit: W, "#, r#""power": (unit: W, "#, &[
            "11:9 the watchdog of `pcs` is kept alive by writing `pcs.p`, which is no output here | list `pcs.p` under `outputs`",
            "15:9 `power` is not the name of an output | an output is called like its device, a dot, and what is written: `pcs.p`",
            "19:35 no output is called `pcs.p` | the choices are `panel.contactor`, `pcs.alarm_reset`",
            "23:103 no output is called `pcs.p` | did you mean `ess.p`?",
        ]),
        (r#""pcs.p": (unit: W, range: (-5000, 5000), ramp"#, r#""pcs.p": (unit: W, ramp"#, &[
            "15:9 `range` is missing from `pcs.p` | physical limits have no defaults: the device takes -10000 to 10000 W",
        ]),
        (r#""pcs.p": (unit: W, range: (-5000, 5000)"#, r#""pcs.p": (unit: W, range: (5000, -5000)"#, &[
            "15:35 `range` goes from 5000 to -5000: the lower end comes first and is below the higher | (-5000, 5000)",
        ]),
        (r#""pcs.p": (unit: W, range: (-5000, 5000)"#, r#""pcs.p": (unit: W, range: (-50000, 5000)"#, &[
            "15:35 `range` from -50000 to 5000 is wider than what the device takes, -10000 to 10000 | a site can only narrow it",
        ]),
        (r#""pcs.p": (unit: W, range: (-5000, 5000)"#, r#""pcs.p": (unit: W, range: (1000, 5000)"#, &[
            "15:35 the safe value of `pcs.p` is 0 W, which lies outside its range | widen the range until it holds the safe value",
        ]),
        (r#""pcs.p": (unit: W, range: (-5000, 5000)"#, r#""pcs.p": (unit: W, range: (-5000, 1e999)"#, &[
            "15:43 `1e999` is not a finite number",
        ]),
        (r#""pcs.p": (unit: W, range: (-5000, 5000)"#, r#""pcs.p": (unit: W, range: (NaN, 5000)"#, &[
            "15:36 `NaN` is not a finite number",
        ]),
        (r#""pcs.p": (unit: W, range: (-5000, 5000), ramp_per_s: 5000"#, r#""pcs.p": (unit: W, range: (-5000, 5000), ramp_per_s: 0"#, &[
            "15:62 `ramp_per_s` is 0, but must be above 0 | in the output's unit per second",
        ]),
        (r#""pcs.p": (unit: W, range: (-5000, 5000), ramp_per_s: 5000, "#, r#""pcs.p": (unit: W, range: (-5000, 5000), dwell_ms: 5, ramp_per_s: 5000, "#, &[
            "15:60 `pcs.p` is a real output and has no `dwell_ms` | leave it out",
        ]),
        ("dwell_ms: 2000", "dwell_ms: 2000, range: (0, 1)", &[
            "16:52 `panel.contactor` is a choice output and has no `range` | leave it out",
        ]),
        ("dwell_ms: 2000", "dwel_ms: 2000", &[
            "16:29 unknown key `dwel_ms` | did you mean `dwell_ms`?",
        ]),
        (r#"point: "pcs.p_actual""#, r#"point: "pcs.p_actua""#, &[
            "16:65 nobody provides the point `pcs.p_actua` | did you mean `pcs.p_actual`?",
        ]),
        (r#"point: "pcs.p_actual""#, r#"point: "pcs.state""#, &[
            "16:65 `pcs.state` is a code; a real is needed here",
        ]),
        ("below: 100", "below: 0", &[
            "16:88 `below` is 0: a magnitude is never below that | above 0, in the point's unit",
        ]),
        ("or_after_ms: 500", "or_after_ms: 0", &[
            "16:106 `or_after_ms` is 0, which makes no sense | 1 to 600000 would",
        ]),
        (r#""pcs.alarm_reset": ()"#, r#""pcs.alarm_reset": (unit: W)"#, &[
            "17:35 `pcs.alarm_reset` is a pulse and has no `unit` | leave it out",
        ]),
        (r#""panel.contactor": (dwell_ms: 2000, safe_after: (point: "pcs.p_actual", below: 100, or_after_ms: 500)),"#, r#""panel.contactor": (dwell_ms: 2000, safe_after: (point: "pcs.p_actual", below: 100, or_after_ms: 500)), "pcs.q": (unit: W, range: (0, 1)),"#, &[
            "16:113 `ramp_per_s` is missing from `pcs.q` | physical limits have no defaults: how fast a demand may change it, var per s",
            "16:113 `ramp_out_per_s` is missing from `pcs.q` | physical limits have no defaults: how fast a demand that has ended ramps out, var per s",
            "16:129 `pcs.q` is given in W, but the device takes var | `unit: Var`, and the numbers in it",
        ]),
    ]);
}

#[test]
fn bad_input_in_groups_is_said_with_its_place() {
    refused(&[
        (r#""ess.p": (members: ["pcs.p"]"#, r#""ess.p": (members: []"#, &[
            "19:34 a group without members controls nothing | name at least one real output",
        ]),
        (r#""ess.p": (members: ["pcs.p"]"#, r#""ess.p": (members: ["pcs.pq"]"#, &[
            "19:35 no output is called `pcs.pq` | did you mean `pcs.p`?",
        ]),
        (r#""ess.p": (members: ["pcs.p"]"#, r#""ess.p": (members: ["pcs.p", "pcs.p"]"#, &[
            "19:44 `pcs.p` is a member of `ess.p` already | an output belongs to one group",
        ]),
        (r#""ess.p": (members: ["pcs.p"]"#, r#""ess.p": (members: ["ess.p"]"#, &[
            "19:35 `ess.p` is a group; a group's members are outputs of devices",
        ]),
        (r#""ess.p": (members: ["pcs.p"]"#, r#""ess.p": (members: ["panel.contactor"]"#, &[
            "19:35 `panel.contactor` is no real output, so it has no part in a total",
        ]),
        (r#""ess.p": (members: ["pcs.p"], unit: W"#, r#""ess.p": (members: ["pcs.p"], unit: Var"#, &[
            "19:35 `pcs.p` is in W, but the group is in var",
        ]),
        (r#""ess.p": (members: ["pcs.p"], unit: W"#, r#""ess.p": (members: ["pcs.p"], range: (-9000, 9000), unit: W"#, &[
            "19:52 `range` from -9000 to 9000 is wider than what its members can do together, -5000 to 5000 | a site can only narrow it",
        ]),
        (r#""ess.p": (members"#, r#""pcs.total": (members"#, &[
            "19:15 `pcs.total` looks like a name of the device `pcs` | choose another word before `.total`",
            "24:144 no output is called `ess.p` | did you mean `pcs.p`?",
            "26:49 no output is called `ess.p` | did you mean `pcs.p`?",
            "27:51 no output is called `ess.p` | did you mean `pcs.p`?",
        ]),
        (r#""ess.p": (members"#, r#""ess": (members"#, &[
            "19:15 `ess` cannot be the name of a group | two words of 1 to 48 letters, digits, `_` and `-` with a dot between, like `ess.p`",
        ]),
        (r#"members: ["pcs.p"]"#, r#"members: ["pcs.p"], range: (1000, 2000)"#, &[
            "19:52 the members are safe at 0 together, which lies outside the group's range",
        ]),
    ]);
}

#[test]
fn bad_input_in_commands_is_said_with_its_place() {
    refused(&[
        (r#""cmd.p": (unit: W"#, r#""ess.p": (unit: W"#, &[
            "20:17 `ess.p` is a group already | give the command a name of its own",
            "27:35 nobody provides the point `cmd.p` | a point that a program computes is known only to the programs after it",
            "29:100 no command is called `cmd.p` | the choices are `site.reset`, `site.arm`, `ess.p`",
        ]),
        (r#""cmd.p": (unit: W"#, r#""site.p": (unit: W"#, &[
            "20:17 `site.p` looks like a name of the controller itself: `site` | choose another word before `.p`",
            "27:35 nobody provides the point `cmd.p` | a point that a program computes is known only to the programs after it",
            "29:100 no command is called `cmd.p` | the choices are `site.reset`, `site.arm`",
        ]),
        (r#""cmd.p": (unit: W, "#, r#""cmd.p": ("#, &[
            "20:17 `unit` is missing from `cmd.p`",
        ]),
        (r#""cmd.p": (unit: W, "#, r#""cmd.p": (unit: Var, "#, &[
            "27:35 `cmd.p` is a real in var, but a real in W is needed here",
        ]),
        (r#""cmd.p": (unit: W, "#, r#""cmd.p": (kind: Flag, unit: W, "#, &[
            "20:45 a flag has no unit and no range | leave it out, or leave out `kind: Flag`",
            "20:55 a flag has no unit and no range | leave it out, or leave out `kind: Flag`",
        ]),
        ("lease_ms: 10000", "lease_ms: 0", &[
            "20:68 `lease_ms` is 0, which makes no sense | 100 to 86400000 would",
        ]),
        ("lease_ms: 10000", "lease_ms: 4000000000", &[
            "20:68 `lease_ms` is 4000000000, which makes no sense | 100 to 86400000 would",
        ]),
        ("lease_ms: 10000, priority: 1", "lease_ms: 10000", &[
            "20:17 `priority` is missing from `cmd.p`",
        ]),
        (r#""cmd.p": (unit: W"#, r#""cmd": (unit: W"#, &[
            "20:17 `cmd` cannot be the name of a command | two words of 1 to 48 letters, digits, `_` and `-` with a dot between, like `ess.p`",
        ]),
    ]);
}

#[test]
fn bad_input_in_programs_is_said_with_its_place() {
    refused(&[
        (r#"input: "panel.estop""#, r#"input: "panel.estpo""#, &[
            "23:30 nobody provides the point `panel.estpo` | did you mean `panel.estop`?",
        ]),
        (r#"input: "panel.estop""#, r#"input: "pcs.soc""#, &[
            "23:30 `pcs.soc` is a real in %, but a flag in no unit is needed here",
        ]),
        (r#"stops: ["pcs.p"]"#, r#"stops: ["panel.contactor"]"#, &[
            "23:103 `panel.contactor` is another kind of output; a real output is needed here",
        ]),
        (r#"stops: ["pcs.p"]"#, r#"stops: ["pcs.q"]"#, &[
            "23:103 no output is called `pcs.q` | did you mean `pcs.p`?",
        ]),
        (r#"opens: ["panel.contactor"], stops: ["pcs.p"], "#, "", &[
            "23:30 this emergency stop stops nothing | name outputs under `opens` or `stops`",
        ]),
        ("EmergencyStop(", "EmergencyStopp(", &[
            "23:9 `EmergencyStopp` is none of the choices here | did you mean `EmergencyStop`?",
        ]),
        ("EmergencyStop(", "EmergencyStop(colour: 3, ", &[
            "23:23 unknown key `colour` | the choices are `name`, `input`, `reset`, `opens`, `stops`, `resets`, `latch_when_lost`",
        ]),
        (r#"value: "closed""#, r#"value: "close""#, &[
            "25:48 `panel.contactor` has no value `close` | it takes `open`, `closed`",
        ]),
        (r#"voltage: "pcs.voltage""#, r#"voltage: "pcs.soc""#, &[
            "24:106 `pcs.soc` is a real in %, but a real in V is needed here",
        ]),
        ("kp: 0.5", "kp: 0", &[
            "26:92 `kp` is 0, but must be above 0",
        ]),
        (r#"grid: "meter.p""#, r#"grid: "meter.p", grid_age_ms_max: 100"#, &[
            "26:31 `meter.p` may be 150 ms old while all is healthy, but `SelfConsumption` accepts only 100 ms | read every 100 ms, up to 40 ms for its turn and answer, 10 ms for the scan: poll faster, or accept more",
        ]),
        ("Hold(", r#"Hold(name: "EmergencyStop", "#, &[
            "25:20 two programs are called `EmergencyStop` | give this one a `name` of its own",
        ]),
        ("rank: 10", "rank: 0", &[
            "27:51 two programs demand `ess.p` at rank 0: number 4 and number 5 of the list | give one of them another rank; the higher rank wins",
        ]),
        ("rank: 10", "rank: 300", &[
            "27:66 `300` is out of the range allowed here",
        ]),
        (r#"power: "ess.p", rank: 10"#, r#"power: "pcs.p", rank: 10"#, &[
            "27:51 `pcs.p` belongs to the group `ess.p` and takes no demand of its own | demand the total `ess.p`; members may only be limited",
        ]),
        ("rank: 10)", "rank: 10, every_ms: 15)", &[
            "27:80 15 ms is not a multiple of the scan period of 10 ms | 10 or 20 ms would be",
        ]),
        ("SelfConsumption(grid", "SelfConsumption(every_ms: 1000, grid", &[
            "21:22 `ess.p` begins to go safe 1570 ms after `meter.p` is lost, but 1500 ms are needed | through `SelfConsumption`: let it accept less age, or narrow `age_max_ms` of the point",
        ]),
        (r#"Hold(output: "panel.contactor", value: "closed")"#, r#"Hold(output: "panel.contactor")"#, &[
            "25:9 `value` is missing from `Hold`",
        ]),
        (r#"reset: "panel.reset""#, r#"reset: "panel.reset", reset: "panel.reset""#, &[
            "23:67 `reset` is given twice | it was first given at 23:45: keep one of them",
        ]),
    ]);
}

#[test]
fn bad_input_in_the_modbus_server_and_mqtt_is_said_with_its_place() {
    refused(&[
        (r#"listen: "127.0.0.1:1502""#, r#"listen: "127.0.0.1""#, &[
            r#"29:29 `127.0.0.1` is not an address to listen on | an IP address and a port, like "127.0.0.1:1502""#,
        ]),
        (r#"listen: "127.0.0.1:1502", units: [1], writers: [(peer: "127.0.0.1", commands: ["cmd.p", "site.arm"], heartbeat: true, writes_per_s: 10)]"#, r#"listen: "0.0.0.0:1502""#, &[
            "29:29 the server listens on 0.0.0.0:1502 for the whole network, but no peer is listed | list who may read under `readers` and who may write under `writers`",
        ]),
        ("units: [1]", "units: []", &[
            "29:54 no unit id: the server would answer nobody | 1 is usual",
        ]),
        ("units: [1]", "units: [1, 1]", &[
            "29:58 unit id 1 is listed twice",
        ]),
        (r#"peer: "127.0.0.1""#, r#"peer: """#, &[
            r#"29:76 `` is not the address of a peer | one IP address without a port, like "192.168.1.10"; nobody stands for everybody"#,
        ]),
        (r#"peer: "127.0.0.1""#, r#"peer: "0.0.0.0""#, &[
            r#"29:76 `0.0.0.0` is not the address of a peer | one IP address without a port, like "192.168.1.10"; nobody stands for everybody"#,
        ]),
        (r#"peer: "127.0.0.1""#, r#"peer: "127.0.0.1:1502""#, &[
            r#"29:76 `127.0.0.1:1502` is not the address of a peer | one IP address without a port, like "192.168.1.10"; nobody stands for everybody"#,
        ]),
        (r#"commands: ["cmd.p", "site.arm"]"#, r#"commands: ["cmd.q"]"#, &[
            "29:100 no command is called `cmd.q` | did you mean `cmd.p`?",
        ]),
        (r#"commands: ["cmd.p", "site.arm"]"#, "commands: []", &[
            "29:99 a writer without commands may write nothing | list its commands, or list it under `readers`",
        ]),
        (r#"commands: ["cmd.p", "site.arm"]"#, r#"commands: ["cmd.p", "cmd.p"]"#, &[
            "29:109 `cmd.p` is listed twice",
        ]),
        ("writes_per_s: 10", "writes_per_s: 0", &[
            "29:153 `writes_per_s` is 0, which makes no sense | 1 to 1000 would",
        ]),
        ("writers: [", r#"writers: [(peer: "127.0.0.1", commands: ["cmd.p"], writes_per_s: 1), "#, &[
            "29:135 the peer 127.0.0.1 is listed twice | list all its commands in one place",
        ]),
        ("units: [1]", r#"readers: ["everybody"]"#, &[
            r#"29:57 `everybody` is not the address of a peer | one IP address without a port, like "192.168.1.10"; nobody stands for everybody"#,
        ]),
        (r#"topic: "flyball/test""#, r#"topic: "flyball/#""#, &[
            "30:52 `flyball/#` cannot be a topic to publish under | words with `/` between, without `+`, `#` and `$`",
        ]),
        (r#"topic: "flyball/test""#, r#"topic: """#, &[
            "30:52 `` cannot be a topic to publish under | words with `/` between, without `+`, `#` and `$`",
        ]),
        ("every_ms: 1000, off", "every_ms: 0, off", &[
            "30:78 `every_ms` is 0, which makes no sense | 100 to 86400000 would",
        ]),
        ("offline_messages_max: 1000", "offline_messages_max: 0", &[
            "30:106 `offline_messages_max` is 0, which makes no sense | 1 to 100000 would",
        ]),
        (r#"peer: "127.0.0.1""#, r#"pear: "127.0.0.1""#, &[
            "29:70 unknown key `pear` | did you mean `peer`?",
        ]),
        (r#"broker: "mqtt://127.0.0.1:1883", "#, "", &[
            "30:5 `broker` is missing from `mqtt`",
        ]),
        ("heartbeat: true", "heartbeat: yes", &[
            "29:133 expected `true` or `false`, found `yes`",
        ]),
        (r#"listen: "127.0.0.1:1502""#, r#"lisen: "127.0.0.1:1502""#, &[
            "29:21 unknown key `lisen` | did you mean `listen`?",
        ]),
    ]);
}
