//! The register map: every address, what it shows, and that the printed list says the same.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod scada_site;

use flyball_io_map::image::{NoData, Reading, ScanTime};
use flyball_runtime::scada::RegisterMap;
use flyball_runtime::scada::map::Access;
use flyball_runtime::scan::snapshot::{Header, SiteState, View};
use scada_site::*;

fn at_ms(value: Result<f64, NoData>, ms: u64) -> Reading {
    Reading::new(value, ScanTime::from_ms(ms))
}

fn showing(header: &Header, readings: &[Reading]) -> Line {
    let board = Board::default();
    board.publish(words(header, readings));
    Line::over(board, STRANGER, &settings(), 1)
}

#[test]
fn the_header_says_what_the_site_does() {
    let header = Header {
        tick: 0x0003_0004_0005,
        scans: 0x0001_0002_0003,
        state: SiteState::Tripped,
        degraded: true,
        quarantined: 2,
        slots_skipped: 70_000,
        scan_ns: 12_345,
        late_ns: 99_000_999,
        wall_ns: 1_700_000_000_123_456_789,
        wall_trusted: true,
        commands_refused: 3,
    };
    let mut line = showing(&header, &readings(7));
    let expected = [1, 3, 2, 3, 2, 1, 1, 4_464, 0, 12, 1, 33_464, 0, 3, 2, 1, 25_939, 61_696, 10, 10, 2, 1, 1, 5, 2];
    assert_eq!(line.read(0, 25), expected);
    assert_eq!(line.ask(&read(3, 0, 26)), [0x83, 2], "the header ends there");
    assert_eq!(line.ask(&read(4, 0, 1)), [4, 2, 0, 1], "input registers show the same");
}

#[test]
fn a_point_shows_its_value_its_quality_and_its_age() {
    let rows = [
        ("good", at_ms(Ok(-1_234.5), 920), (pair(-1_234.5), 0, 80)),
        ("as old as it may be", at_ms(Ok(1.0), 500), (pair(1.0), 0, 500)),
        ("too old", at_ms(Ok(1.0), 499), ([0x7FC0, 0], 4, 501)),
        ("never read", Reading::NEVER, ([0x7FC0, 0], 1, 65_535)),
        ("silent", at_ms(Err(NoData::DeviceSilent), 900), ([0x7FC0, 0], 2, 100)),
        ("frozen", at_ms(Err(NoData::Frozen), 1_000), ([0x7FC0, 0], 5, 0)),
        ("larger than a single", at_ms(Ok(1e39), 1_000), ([0x7FC0, 0], 6, 0)),
        ("stamped a moment after the grid", at_ms(Ok(2.0), 1_001), (pair(2.0), 0, 0)),
    ];
    for (what, reading, (value, quality, age_ms)) in rows {
        let mut all = readings(100);
        all[at::METER_P] = reading;
        let mut line = showing(&header(100), &all);
        let address = line.station.map().address_of("meter.p").unwrap();
        assert_eq!(line.read(address, 4), [value[0], value[1], quality, age_ms], "{what}");
    }
    let mut line =
        showing(&header(20_000), &[&[at_ms(Err(NoData::DeviceSilent), 10)], &readings(20_000)[1..]].concat());
    assert_eq!(line.read(20_003, 1), [65_535], "an age of 199 s");
}

#[test]
fn a_command_shows_what_is_in_force_and_how_long_its_lease_lasts() {
    let rows = [
        ("nobody has commanded", at_ms(Err(NoData::NoCommand), 0), 0.0, (8, 0)),
        ("just commanded", at_ms(Ok(2_000.0), 20_000), 2_000.0, (0, 100)),
        ("a lease about to end", at_ms(Ok(-1.0), 10_001), -1.0, (0, 1)),
        ("a lease that has just ended", at_ms(Ok(-1.0), 9_999), 0.0, (4, 0)),
    ];
    for (what, reading, value, (quality, left)) in rows {
        let mut all = readings(2_000);
        all[at::POWER] = reading;
        let mut line = showing(&header(2_000), &all);
        let address = line.station.map().command_address_of("scada.p").unwrap();
        let shown = line.single(address);
        assert!(if quality == 0 { shown.to_bits() == f32::to_bits(value) } else { shown.is_nan() }, "{what}: {shown}");
        let [lowest, highest] = [pair(-5_000.0), pair(5_000.0)];
        assert_eq!(
            line.read(2_000, 8),
            [quality, left, 0, 10_000, lowest[0], lowest[1], highest[0], highest[1]],
            "{what}"
        );
    }
}

#[test]
fn outputs_show_what_went_out_and_why() {
    let (layout, _) = layout_of(points());
    let mut words = words(&header(7), &readings(7));
    let reals = words.len() - 2 * 4 - 2;
    words[reals..][..4].copy_from_slice(&[1_500.5f64.to_bits(), 250.0f64.to_bits(), 1_750.5f64.to_bits(), 3 << 8 | 4]);
    words[reals + 8..].copy_from_slice(&[1 << 16 | 10 << 8 | 255, 0x0001_0002_0003_0004]);
    assert_eq!(View::new(&layout, &words).unwrap().choice(0), (1, (10, 255)));
    let board = Board::default();
    board.publish(words);
    let mut line = Line::over(board, STRANGER, &settings(), 1);
    let [total, base, added] = [1_750.5, 1_500.5, 250.0].map(pair);
    assert_eq!(line.read(10_000, 8), [total[0], total[1], base[0], base[1], 3, 4, added[0], added[1]]);
    assert_eq!(line.read(18_000, 4), [1, 10, 255, 2]);
    assert_eq!(line.read(19_000, 4), [1, 2, 3, 4]);
    let map = line.station.map();
    let addresses =
        ["pcs.p", "pcs.q", "panel.contactor", "pcs.reset", "bms.soc"].map(|name| map.address_of(name).unwrap());
    assert_eq!(addresses, [10_000, 10_008, 18_000, 19_000, 20_004]);
    assert_eq!((map.address_of("nobody"), map.command_address_of("bms.soc")), (None, None));
}

#[test]
fn a_flag_is_a_coil_and_a_discrete_input_and_says_whether_it_is_known() {
    let mut all = readings(7);
    let bits = |all: &[Reading]| -> (u8, u8) {
        let mut line = showing(&header(7), all);
        let answers = [read(1, 0, 8), read(2, 10_000, 8)].map(|pdu| line.ask(&pdu));
        assert_eq!([answers[0][..2].to_vec(), answers[1][..2].to_vec()], [[1, 1], [2, 1]]);
        (answers[0][2], answers[1][2])
    };
    all[at::ESTOP] = at_ms(Ok(1.0), 70);
    all[at::STOP] = at_ms(Ok(0.0), 70);
    assert_eq!(bits(&all), (1 << at::ESTOP, 1 << at::ESTOP | 1 << at::STOP));
    all[at::ESTOP] = at_ms(Err(NoData::DeviceSilent), 70);
    assert_eq!(bits(&all), (0, 1 << at::STOP), "a flag that is not known reads 0 in both areas");
    let mut line = showing(&header(7), &all);
    for (address, bits) in [(10, 1), (9, 2), (10_010, 1), (65_535, 1), (65_535, 2)] {
        assert_eq!(line.ask(&read(1, address, bits)), [0x81, 2], "{bits} from {address}");
    }
}

#[test]
fn the_list_names_every_address_that_answers_and_no_other() {
    let mut line = Line::from(STRANGER);
    let map = line.station.map().clone();
    let list = map.describe();
    let mut named = vec![0u8; 65_536];
    for entry in &list {
        assert_eq!(entry.registers, entry.kind.registers(), "{entry:?}");
        (0..entry.registers).for_each(|i| named[usize::from(entry.address + i)] += 1);
    }
    assert!(list.windows(2).all(|pair| pair[0].address < pair[1].address), "in the order of addresses");
    for address in 0..=u16::MAX {
        let answers = line.ask(&read(3, address, 1))[0] == 3;
        assert_eq!(u8::from(answers), named[usize::from(address)], "register {address}");
    }
}

#[test]
fn the_list_tells_people_what_a_value_is_and_who_may_write_it() {
    let map = RegisterMap::new(layout(), &settings().writers).unwrap();
    let list = map.describe();
    let line = |address: u16| {
        let e = list.iter().find(|e| e.address == address).unwrap();
        format!("{} {} {} {} {}: {}", e.address, e.kind, e.access, e.name, e.unit, e.note)
    };
    assert_eq!(line(1), "1 u16 r heartbeat : moves with every scan; if it stands still, so does control");
    assert_eq!(line(900), "900 u16 rw dispatch heartbeat : written by dispatch: a changed value renews its leases");
    let command = "both registers in one request; reads the command in force, not a number if there is none";
    assert_eq!(line(1_000), format!("1000 f32 rw scada.p command W: written by dispatch, {command}"));
    assert_eq!(line(2_001), "2001 u16 r scada.p lease left 0.1 s: 0: none");
    assert_eq!(line(10_002), "10002 f32 r pcs.p base W: the demand's part");
    assert_eq!(line(18_000), "18000 u16 r panel.contactor : 0 open, 1 closed");
    assert_eq!(line(20_004), "20004 f32 r bms.soc %: not a number if there is no value");
    assert!(line(20_008).contains("coil and discrete input 2, 10002 tells whether it is known"));
    assert!(line(20_012).contains("0 off, 1 follow, 4 test"));
    let nobody = RegisterMap::new(layout(), &[]).unwrap().describe();
    assert!(nobody.iter().all(|e| e.access == Access::Read && e.address != 900));
}

#[test]
fn a_new_point_moves_no_other_area() {
    let (small, _) = layout_of(points());
    let mut more = points();
    more.insert(0, points()[0].clone());
    more[0].name = "meter.q".into();
    let (large, _) = layout_of(more);
    let [small, large] = [small, large].map(|layout| RegisterMap::new(layout, &settings().writers).unwrap());
    for name in ["pcs.p", "pcs.q", "panel.contactor", "pcs.reset"] {
        assert_eq!(small.address_of(name), large.address_of(name), "{name}");
    }
    assert_eq!(small.command_address_of("scada.mode"), large.command_address_of("scada.mode"));
    assert_eq!(small.heartbeat_address_of("backup"), large.heartbeat_address_of("backup"));
}

#[test]
fn ten_thousand_points_fit_and_one_more_is_refused_with_both_numbers() {
    let many = |n: usize| -> Vec<_> {
        (0..n).map(|i| flyball_io_map::image::PointDef { name: format!("p{i}"), ..points()[0].clone() }).collect()
    };
    let map = RegisterMap::new(layout_of(many(10_000)).0, &[]).unwrap();
    assert_eq!(map.address_of("p9999"), Some(59_996));
    let error = RegisterMap::new(layout_of(many(10_001)).0, &[]).unwrap_err();
    assert!(error.to_string().contains("10001 points") && error.to_string().contains("room for 10000"), "{error}");
    let mut commands = many(501);
    commands.iter_mut().for_each(|p| p.source = flyball_io_map::image::point::Source::Command);
    assert!(RegisterMap::new(layout_of(commands).0, &[]).unwrap_err().to_string().contains("501 command points"));
}

#[test]
fn before_the_first_scan_reads_are_busy_and_nothing_is_made_up() {
    let mut line = Line::over(Board::default(), STRANGER, &settings(), 1);
    for pdu in [read(3, 0, 1), read(4, 20_000, 4), read(1, 0, 1), read(2, 0, 1)] {
        assert_eq!(line.ask(&pdu), [pdu[0] | 0x80, 6]);
    }
}
