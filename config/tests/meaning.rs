//! What a good site means, and what can be asked of it.

mod test_site;

use flyball_config::{ARM, Arm, LoadError, RESET, Realtime, Site, load};
use flyball_io_map::image::point::Source;
use flyball_io_map::image::wiring::OutputKind;
use std::path::{Path, PathBuf};
use test_site::{GOOD, check, said};

fn good() -> Site {
    check(GOOD).map_err(|report| panic!("{report}")).unwrap()
}

#[test]
fn the_image_is_devices_then_the_controller_then_commands() {
    let site = good();
    let points = site.points();
    for (i, device) in site.devices().iter().enumerate() {
        let part = &points[device.points.clone()];
        assert!(part.iter().all(|p| p.source == Source::Device(u16::try_from(i).unwrap())));
        assert_eq!(part.len(), device.profile.points.len() + 1);
        assert_eq!(points[device.online()].name, format!("{}.online", device.name));
    }
    let order = |source: &Source| match source {
        Source::Device(i) => u32::from(*i),
        Source::System => 100_000,
        Source::Command => 100_001,
        Source::Computed => 100_002,
    };
    assert!(points.is_sorted_by_key(|p| order(&p.source)));
    assert_eq!(points[site.system().slots_skipped].name, "system.slots_skipped");
    let commands: Vec<&str> = site.commands().iter().map(|c| points[c.point].name.as_str()).collect();
    assert_eq!(commands, [RESET, ARM, "cmd.p"]);
    assert_eq!(site.point("cmd.p"), Some(site.commands()[2].point));
}

#[test]
fn settings_are_what_the_file_says() {
    let site = good();
    assert_eq!((site.name(), site.arm(), site.scan().period_ms), ("test-site", Arm::Manual, 10));
    assert_eq!((site.scan().realtime, site.scan().priority), (Realtime::BestEffort, 40));
    assert_eq!((site.scan().overrun.degrade.skipped, site.scan().overrun.trip.of), (3, 100));
    assert_eq!(site.scan().overrun.shed, [3]);
    let names: Vec<&str> = site.program_names().collect();
    assert_eq!(names, ["EmergencyStop", "BatteryLimits", "Hold", "SelfConsumption", "ExternalSetpoint"]);
    let meter = &site.points()[site.point("meter.p").unwrap()];
    assert_eq!((meter.age_max_ms, meter.plausible), (500, (-20_000.0, 20_000.0)), "narrowed by the site");
    let server = site.modbus_server().unwrap();
    assert_eq!((server.listen.port(), server.writers[0].commands.as_slice()), (1502, &[2, 1][..]));
    let mqtt = site.mqtt().unwrap();
    assert_eq!((mqtt.host.as_str(), mqtt.port, mqtt.topic.as_str()), ("127.0.0.1", 1883, "flyball/test"));
}

#[test]
fn totals_stand_before_the_outputs_of_devices() {
    let site = good();
    let names: Vec<&str> = site.outputs().iter().map(|o| o.name.as_str()).collect();
    assert_eq!(names, ["ess.p", "pcs.p", "panel.contactor", "pcs.alarm_reset"]);
    assert_eq!(site.outputs()[0].members, [1]);
    let OutputKind::Real { rule, .. } = &site.outputs()[0].kind else { panic!("a total is a real output") };
    assert_eq!(rule.range, (-5_000.0, 5_000.0), "what its members can do together");
    let pcs = site.devices().iter().find(|d| d.name == "pcs").unwrap();
    let listed: Vec<_> =
        pcs.outputs.iter().map(|o| (o.output, pcs.profile.writables[o.writable].name.as_str())).collect();
    assert_eq!(listed, [(1, "p"), (3, "alarm_reset")]);
    assert_eq!(pcs.watchdog_ms, Some(5_000));
}

#[test]
fn each_build_is_a_site_of_its_own() {
    let site = good();
    let (a, b) = (site.build(), site.build());
    assert_eq!((a.programs.len(), b.programs.len()), (5, 5));
    assert_eq!(a.wired.points, site.points());
    assert_eq!(a.wired.outputs.reals().len(), 2);
}

#[test]
fn the_arithmetic_is_that_of_its_definitions() {
    let site = good();
    let timing = site.timing();
    // the meter has two blocks and no outputs, each request takes 20 ms
    let meter = timing.loads.iter().find(|l| l.endpoint == "127.0.0.1:15022").unwrap();
    assert_eq!((meter.requests, meter.round_ms), (2, 40));
    let age = |name: &str| timing.points.iter().find(|p| p.point == name).unwrap();
    assert_eq!(age("meter.p").worst_ms, 100 + 40 + 10);
    assert_eq!(age("meter.energy").worst_ms, 10_000 + 40 + 10);
    let reaction = timing.reactions.iter().find(|r| r.output == "ess.p" && r.input == "meter.p").unwrap();
    // the inverter's endpoint: one block and two writes of 20 ms each; the field thread looks every 2 ms
    assert_eq!(reaction.reaction_ms, 150 + 10 + 2 + 60);
    assert_eq!(reaction.loss_ms, 500 + 10 + 10 + 2 + 60);
    assert_eq!(reaction.out_ms, 2_000, "5 kW at 2.5 kW a second");
    assert!(timing.to_string().contains("meter.energy"));
}

#[test]
fn devices_behind_one_address_share_its_round() {
    let text = GOOD.replace("127.0.0.1:15022\", unit: 1", "127.0.0.1:15023\", unit: 2");
    let site = check(&text).map_err(|report| panic!("{report}")).unwrap();
    assert_eq!(site.endpoints().len(), 2);
    assert_eq!(site.endpoints()[1].devices, [1, 2]);
    assert_eq!(site.timing().loads[1].round_ms, 100);
}

#[test]
fn a_device_without_a_watchdog_may_be_accepted() {
    let relay = r#""relay": (profile: "./relay.ron", bus: "lan", address: "127.0.0.2", unit: 1, poll_ms: 500, answer_ms: 10, accepts_no_watchdog: true, accepts_unverified_writes: true), "pcs": "#;
    let text = GOOD
        .replacen("\"pcs\": ", relay, 1)
        .replace("\"pcs.alarm_reset\": (),", "\"pcs.alarm_reset\": (), \"relay.k1\": (),");
    let too_slow = said(&text);
    assert!(too_slow.iter().all(|s| s.contains("relay.")), "{too_slow:?}");
    let text = text.replace("poll_ms: 500", "poll_ms: 200");
    let site = check(&text).map_err(|report| panic!("{report}")).unwrap();
    assert_eq!(site.devices()[2].address.port(), 502, "the profile's port");
    assert_eq!(site.devices()[2].watchdog_ms, None);
}

#[test]
fn one_pass_says_everything() {
    let text = GOOD
        .replace("priority: 40", "pirority: 40")
        .replace("arm: Manual", "arm: Manul")
        .replace("poll_ms: 20", "poll_ms: 0")
        .replace("./meter.ron", "./broken.ron")
        .replace("\"meter.p\": (age", "\"metre.p\": (age")
        .replace("range: (-5000, 5000), ramp", "range: (5000, -5000), ramp")
        .replace("below: 100", "below: -1")
        .replace("lease_ms: 10000", "lease_ms: 0")
        .replace("input: \"panel.estop\"", "input: \"panel.estpo\"")
        .replace("taper_percent: 5", "taper_precent: 5")
        .replace("rank: 10", "rank: 0")
        .replace("peer: \"127.0.0.1\"", "peer: \"\"")
        .replace("mqtt://127.0.0.1:1883", "tcp://127.0.0.1:1883");
    let said = said(&text);
    let places: Vec<&str> = said.iter().map(|s| s.split_once(' ').unwrap().0).collect();
    let expected = [
        "5:122",
        "6:10",
        "9:101",
        "10:28",
        "13:15",
        "15:35",
        "16:88",
        "20:68",
        "23:30",
        "24:195",
        "27:51",
        "29:76",
        "30:20",
        "(profile)",
    ];
    assert_eq!(places, expected, "{said:#?}");
}

#[test]
fn a_server_for_the_network_needs_its_peers_by_name() {
    let text = GOOD.replace("listen: \"127.0.0.1:1502\"", "listen: \"0.0.0.0:1502\", readers: [\"192.168.1.10\"]");
    let site = check(&text).map_err(|report| panic!("{report}")).unwrap();
    assert_eq!(site.modbus_server().unwrap().readers.len(), 1);
}

#[test]
fn a_site_is_loaded_with_the_profiles_beside_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(load(&folder.join("tests/site/good.ron")).unwrap().name(), "test-site");
    assert_eq!(load(&folder.join("sites/demo.ron")).unwrap().name(), "demo");
}

#[test]
fn files_that_are_missing_or_no_text_are_said() {
    let missing = load(Path::new("no/such/site.ron")).unwrap_err();
    assert!(
        matches!(&missing, LoadError::Unreadable { .. }) && missing.to_string().starts_with("no/such/site.ron: "),
        "{missing}"
    );
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no-text.ron");
    std::fs::write(&path, b"Site(\n  name: \"\xff\",\n)").unwrap();
    let refused = load(&path).unwrap_err().to_string();
    assert!(refused.contains("no-text.ron:2:10") && refused.contains("not UTF-8"), "{refused}");
}
