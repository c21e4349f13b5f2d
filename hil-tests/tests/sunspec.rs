//! The storage inverter through its registers, in virtual time: what a SunSpec client may rely on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use flyball_hil::cabin::{CabinParams, CabinWorld};
use flyball_hil::device::Pdu;
use flyball_hil::device::sunspec::{Base, SunSpecSettings};
use flyball_hil::fault::{Fault, Outcome};
use flyball_hil::plant::battery::BatteryTrip;
use flyball_hil::plant::inverter::InverterState;
use proptest::prelude::*;

const BASE: u16 = 40_000;
/// Where each model begins, counted from the base.
const M701: u16 = 70;
const M702: u16 = 225;
const M704: u16 = 277;
const M713: u16 = 344;
const M715: u16 = 353;
const M802: u16 = 362;
const END: u16 = 426;

fn ask(cabin: &CabinWorld, pdu: &[u8]) -> Vec<u8> {
    let mut out = Pdu::new();
    assert_eq!(cabin.pcs().answer(1, pdu, &mut out), Outcome::Reply { after_ms: 0 });
    out.as_slice().to_vec()
}

fn try_read(cabin: &CabinWorld, at: u16, count: u16) -> Result<Vec<u16>, u8> {
    let ([a, b], [c, d]) = (at.to_be_bytes(), count.to_be_bytes());
    match ask(cabin, &[3, a, b, c, d]).as_slice() {
        [3, _, data @ ..] => Ok(data.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()),
        [_, code] => Err(*code),
        other => panic!("{other:02x?}"),
    }
}

fn read(cabin: &CabinWorld, offset: u16) -> u16 {
    try_read(cabin, BASE + offset, 1).unwrap()[0]
}

fn read_i16(cabin: &CabinWorld, offset: u16) -> i16 {
    i16::from_be_bytes(read(cabin, offset).to_be_bytes())
}

fn read_u32(cabin: &CabinWorld, offset: u16) -> u32 {
    let words = try_read(cabin, BASE + offset, 2).unwrap();
    u32::from(words[0]) << 16 | u32::from(words[1])
}

fn write(cabin: &CabinWorld, offset: u16, words: &[u16]) -> Result<(), u8> {
    let count = u16::try_from(words.len()).unwrap();
    let mut pdu = vec![16];
    pdu.extend((BASE + offset).to_be_bytes());
    pdu.extend(count.to_be_bytes());
    pdu.push(u8::try_from(2 * words.len()).unwrap());
    pdu.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    match ask(cabin, &pdu).as_slice() {
        [16, ..] => Ok(()),
        [_, code] => Err(*code),
        other => panic!("{other:02x?}"),
    }
}

fn watts(power_w: i32) -> [u16; 2] {
    let [a, b, c, d] = power_w.to_be_bytes();
    [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
}

fn run(cabin: &CabinWorld, seconds: u32) {
    (0..seconds * 100).for_each(|_| cabin.step(0.01));
}

/// A cabin whose inverter runs at 0 W.
fn running() -> CabinWorld {
    let cabin = CabinWorld::new(1);
    cabin.set_load_w(Some(1000.0));
    cabin.set_pv_w(Some(0.0));
    cabin.panel().answer(1, &[5, 0, 0, 0xFF, 0], &mut Pdu::new());
    write(&cabin, M704 + 22, &[1, 1]).unwrap();
    run(&cabin, 4);
    assert_eq!(cabin.truth().inverter_state, InverterState::Running);
    cabin
}

#[test]
fn the_map_is_found_at_each_of_its_three_bases_and_nowhere_else() {
    for base in [Base::Zero, Base::FortyThousand, Base::FiftyThousand] {
        let pcs = SunSpecSettings { base, ..SunSpecSettings::default() };
        let cabin = CabinWorld::with(CabinParams { pcs, ..CabinParams::default() });
        for candidate in [0, 40_000, 50_000] {
            let found = try_read(&cabin, candidate, 2);
            let expected = if candidate == base.register() { Ok(vec![0x5375, 0x6E53]) } else { Err(2) };
            assert_eq!(found, expected, "{base:?} at {candidate}");
        }
    }
}

#[test]
fn the_chain_of_models_is_as_it_should_be() {
    let cabin = CabinWorld::new(1);
    let mut offset = 2;
    let mut models = Vec::new();
    while read(&cabin, offset) != 0xFFFF {
        models.push(read(&cabin, offset));
        offset += 2 + read(&cabin, offset + 1);
    }
    assert_eq!(models, [1, 701, 702, 704, 713, 715, 802]);
    assert_eq!((offset, read(&cabin, offset + 1)), (END, 0));
    assert_eq!(try_read(&cabin, BASE + END + 1, 2), Err(2), "behind the end there is nothing");
    assert_eq!(try_read(&cabin, BASE + END - 123, 125).unwrap().len(), 125, "a read may cross models");
}

#[test]
fn only_the_functions_of_sunspec_are_known() {
    let cabin = CabinWorld::new(1);
    for function in [1, 2, 4, 5, 15] {
        let mut pdu = vec![function, 0x9C, 0x40, 0, 1];
        if function == 5 {
            pdu[4] = 0;
        }
        if function == 15 {
            pdu.extend([1, 0]);
        }
        assert_eq!(ask(&cabin, &pdu), [function | 0x80, 1]);
    }
    let mut out = Pdu::new();
    assert_eq!(cabin.pcs().answer(2, &[3, 0x9C, 0x40, 0, 1], &mut out), Outcome::Silence, "another unit");
}

#[test]
fn points_that_are_not_implemented_have_their_types_code() {
    let cabin = CabinWorld::new(1);
    for (offset, code) in [
        (M701 + 15, 0xFFFF),  // LLV, uint16
        (M701 + 64, 0x8000),  // WL2, int16
        (M701 + 121, 0x8000), // TotVarh_SF
        (M702 + 25, 0xFFFF),  // IntIslandCatRtg, bitfield16
        (M704 + 14, 0xFFFF),  // WMaxLimPctEna, enum16
        (M802 + 49, 0x8000),  // ReqW, int16
    ] {
        assert_eq!(read(&cabin, offset), code, "offset {offset}");
    }
    assert_eq!(read_u32(&cabin, M701 + 111), 0xFFFF_FFFF, "ThrotSrc, bitfield32");
    assert_eq!(read_u32(&cabin, M704 + 38), 0x8000_0000, "VarSet, int32");
    assert_eq!(try_read(&cabin, BASE + M701 + 71, 4).unwrap(), [0xFFFF; 4], "TotWhInjL2, uint64");
    assert_eq!(read(&cabin, M701 + 123), 0, "an empty text");
}

#[test]
fn measurements_follow_the_plant() {
    let cabin = running();
    write(&cabin, M704 + 24, &watts(-2000)).unwrap();
    run(&cabin, 5);
    let truth = cabin.truth();
    assert_eq!(read_i16(&cabin, M701 + 10), -2000, "W, charging is negative");
    assert_eq!(read_i16(&cabin, M701 + 14), read_i16(&cabin, M701 + 45), "A and AL1 of a single phase");
    assert!((i32::from(read(&cabin, M701 + 16)) - 2300).abs() < 100, "LNV, 0.1 V");
    let hertz = f64::from(read_u32(&cabin, M701 + 17)) / 1000.0;
    assert!((hertz - truth.grid_hz).abs() < 0.0006, "Hz");
    assert_eq!(read(&cabin, M701 + 4), 3, "InvSt running");
    let percent = f64::from(read(&cabin, M713 + 4)) / 10.0;
    assert!((percent - truth.soc * 100.0).abs() < 0.06, "713 SoC");
    assert_eq!(read(&cabin, M802 + 11), read(&cabin, M713 + 4), "802 and 713 agree");
    assert!((f64::from(read_i16(&cabin, M802 + 44)) / 10.0 - truth.battery_a).abs() < 0.06, "802 A");
    assert!((f64::from(read(&cabin, M802 + 45)) / 10.0 - truth.charge_a_max).abs() < 0.06, "AChaMax");
    assert!((f64::from(read_i16(&cabin, M802 + 47)) - truth.battery_dc_w).abs() < 0.6, "802 W");
    assert_eq!((read(&cabin, M802 + 22), read(&cabin, M802 + 16)), (3, 4), "connected, charging");
    assert_eq!(read(&cabin, M713 + 2), 10_240, "WHRtg");
}

#[test]
fn after_an_accepted_write_a_read_gives_the_value_written() {
    let cabin = CabinWorld::new(1);
    let cases: [(u16, &[u16]); 16] = [
        (M702 + 26, &[4000]),
        (M702 + 34, &[3000]),
        (M702 + 35, &[0]),
        (M704 + 22, &[1]),
        (M704 + 23, &[1]),
        (M704 + 24, &watts(-4999)),
        (M704 + 26, &watts(-1)),
        (M704 + 30, &[1]),
        (M704 + 31, &[0, 60]),
        (M715 + 5, &[0x1234, 0x5678]),
        (M715 + 8, &[2]),
        (M802 + 9, &[900]),
        (M802 + 10, &[150]),
        (M802 + 19, &[77]),
        (M802 + 50, &[2]),
        (M802 + 51, &[1]),
    ];
    for (offset, words) in cases {
        write(&cabin, offset, words).unwrap();
        let count = u16::try_from(words.len()).unwrap();
        assert_eq!(try_read(&cabin, BASE + offset, count).unwrap(), words, "offset {offset}");
    }
    cabin.step(0.01);
    for (offset, words) in cases {
        let count = u16::try_from(words.len()).unwrap();
        assert_eq!(try_read(&cabin, BASE + offset, count).unwrap(), words, "offset {offset} a step later");
    }
}

#[test]
fn writes_that_are_refused_leave_everything_as_it_was() {
    let cabin = CabinWorld::new(1);
    let before = try_read(&cabin, BASE + M704, 67).unwrap();
    for (offset, words, code) in [
        (M701 + 10, &[0][..], 2),                 // read-only
        (M704 + 33, &[0, 0], 2),                  // WSetRvrtRem, read-only
        (M704 + 28, &[0], 2),                     // WSetPct, not implemented
        (0, &[0], 2),                             // the marker
        (END, &[0], 2),                           // the end model
        (END + 2, &[0], 2),                       // behind the map
        (M704 + 22, &[1, 1, 0, 100, 0, 0, 0], 2), // runs into WSetPct
        (M704 + 24, &[0], 3),                     // half of WSet
        (M704 + 25, &[0], 3),                     // the other half
        (M704 + 22, &[2], 3),                     // no such enumeration
        (M704 + 23, &[0], 3),                     // per cent mode is not offered
        (M704 + 22, &[1, 1, 0, 5001], 3),         // beyond the rating
        (M715 + 8, &[4], 3),
        (M802 + 50, &[0], 3),
        (M802 + 9, &[1001], 3),
    ] {
        assert_eq!(write(&cabin, offset, words), Err(code), "offset {offset}, {words:?}");
    }
    assert_eq!(try_read(&cabin, BASE + M704, 67).unwrap(), before);
    assert!(!cabin.truth().set_point_enabled);
}

#[test]
fn the_reversion_timer_counts_down_restarts_and_really_expires() {
    let cabin = running();
    write(&cabin, M704 + 26, &watts(-300)).unwrap();
    write(&cabin, M704 + 30, &[1, 0, 5]).unwrap();
    write(&cabin, M704 + 24, &watts(2000)).unwrap();
    assert_eq!(read_u32(&cabin, M704 + 33), 5);
    run(&cabin, 3);
    assert_eq!(read_u32(&cabin, M704 + 33), 2);
    write(&cabin, M704 + 24, &watts(2000)).unwrap();
    assert_eq!(read_u32(&cabin, M704 + 33), 5, "a write of the same value restarts it too");
    run(&cabin, 4);
    assert_eq!(read_i16(&cabin, M701 + 10), 2000);
    run(&cabin, 4);
    assert_eq!(read_u32(&cabin, M704 + 33), 0);
    assert_eq!(try_read(&cabin, BASE + M704 + 24, 2).unwrap(), watts(-300), "WSet shows what is in force");
    assert_eq!(read_i16(&cabin, M701 + 10), -300);
    assert_eq!(cabin.truth().reversions, 1);
}

#[test]
fn reverting_to_disabled_gives_no_power() {
    let cabin = running();
    write(&cabin, M704 + 30, &[0, 0, 2]).unwrap();
    write(&cabin, M704 + 24, &watts(1500)).unwrap();
    run(&cabin, 5);
    assert_eq!((read(&cabin, M704 + 22), read_i16(&cabin, M701 + 10)), (0, 0));
}

#[test]
fn the_device_heartbeats_count_seconds() {
    let cabin = CabinWorld::new(1);
    for second in 0..5 {
        assert_eq!(read_u32(&cabin, M715 + 3), second);
        assert_eq!(u32::from(read(&cabin, M802 + 18)), second);
        run(&cabin, 1);
    }
}

#[test]
fn a_controller_heartbeat_that_freezes_brings_standby_and_zero() {
    let cabin = running();
    write(&cabin, M704 + 24, &watts(1500)).unwrap();
    for count in 1..8 {
        write(&cabin, M715 + 5, &[0, count]).unwrap();
        run(&cabin, 1);
    }
    assert_eq!(read_i16(&cabin, M701 + 10), 1500);
    for _ in 0..7 {
        // Everything goes on but the counter: writing the same count is not a heartbeat.
        write(&cabin, M715 + 5, &[0, 7]).unwrap();
        run(&cabin, 1);
    }
    assert_eq!((read_i16(&cabin, M701 + 10), read(&cabin, M701 + 4)), (0, 7), "0 W and standby");
    assert_eq!(try_read(&cabin, BASE + M704 + 24, 2).unwrap(), [0, 0], "WSet must be written anew");
    assert_eq!(read_u32(&cabin, M701 + 6) >> 16 & 1, 1, "the alarm says so");
}

#[test]
fn a_battery_heartbeat_that_freezes_is_an_event() {
    let cabin = CabinWorld::new(1);
    run(&cabin, 10);
    assert_eq!(read_u32(&cabin, M802 + 26) & 1, 0, "a controller that never beat is not missed");
    write(&cabin, M802 + 19, &[1]).unwrap();
    run(&cabin, 4);
    assert_eq!(read_u32(&cabin, M802 + 26) & 1, 0);
    run(&cabin, 2);
    assert_eq!(read_u32(&cabin, M802 + 26) & 1, 1);
}

#[test]
fn resets_are_taken_once_and_fall_back_to_zero() {
    let cabin = running();
    cabin.world().with_plant(|plant| plant.inverter.trip());
    cabin.set_soc(0.995);
    cabin.step(0.01);
    assert_eq!(read(&cabin, M701 + 4), 6, "fault");
    write(&cabin, M715 + 7, &[1]).unwrap();
    assert_eq!(read(&cabin, M715 + 7), 1);
    run(&cabin, 4);
    assert_eq!((read(&cabin, M715 + 7), read(&cabin, M701 + 4)), (0, 3), "running again");
    write(&cabin, M704 + 24, &watts(-3000)).unwrap();
    run(&cabin, 5);
    assert_eq!(cabin.truth().battery_trip, Some(BatteryTrip::ChargeCurrent));
    assert_eq!((read(&cabin, M802 + 22), read(&cabin, M713 + 6)), (99, 2));
    write(&cabin, M704 + 24, &watts(0)).unwrap();
    run(&cabin, 1);
    write(&cabin, M802 + 20, &[1]).unwrap();
    run(&cabin, 1);
    assert_eq!((read(&cabin, M802 + 20), cabin.truth().battery_trip), (0, None));
}

#[test]
fn operation_and_battery_switch_are_obeyed() {
    let cabin = running();
    write(&cabin, M715 + 8, &[0]).unwrap();
    run(&cabin, 1);
    assert_eq!((read(&cabin, M701 + 3), read(&cabin, M701 + 4)), (0, 0), "off");
    write(&cabin, M715 + 8, &[1]).unwrap();
    run(&cabin, 1);
    assert_eq!(read(&cabin, M701 + 4), 2, "starting");
    run(&cabin, 3);
    write(&cabin, M802 + 50, &[2]).unwrap();
    run(&cabin, 1);
    assert_eq!((read(&cabin, M802 + 22), read(&cabin, M701 + 4)), (1, 7), "disconnected, standby");
    assert_eq!(read(&cabin, M802 + 45), 0, "a battery that is off allows nothing");
}

#[test]
fn power_settings_limit_what_is_followed() {
    let cabin = running();
    write(&cabin, M702 + 34, &[500]).unwrap();
    write(&cabin, M704 + 24, &watts(-3000)).unwrap();
    run(&cabin, 5);
    assert_eq!(read_i16(&cabin, M701 + 10), -500, "WChaRteMax");
}

#[test]
fn scale_factors_are_obeyed_both_ways() {
    let pcs = SunSpecSettings { power_exponent: 1, percent_exponent: -2, ..SunSpecSettings::default() };
    let cabin = CabinWorld::with(CabinParams { pcs, ..CabinParams::default() });
    cabin.panel().answer(1, &[5, 0, 0, 0xFF, 0], &mut Pdu::new());
    write(&cabin, M704 + 22, &[1, 1, 0, 200]).unwrap();
    run(&cabin, 8);
    assert!((cabin.truth().inverter_w - 2000.0).abs() < 1.0);
    assert_eq!((read_i16(&cabin, M701 + 10), read_i16(&cabin, M701 + 116)), (200, 1));
    assert_eq!(read(&cabin, M702 + 2), 500);
    assert!((5300..5600).contains(&read(&cabin, M802 + 11)), "SoC in 0.01 %");
}

#[test]
fn a_rotated_device_swaps_long_values_and_leaves_short_ones_and_texts() {
    let cabin = running();
    let (map, energies) = (try_read(&cabin, BASE, 100).unwrap(), try_read(&cabin, BASE + M701 + 19, 4).unwrap());
    cabin.pcs().faults().set(Fault::Rotated);
    let rotated = try_read(&cabin, BASE, 100).unwrap();
    assert_eq!(map[..74], rotated[..74], "marker, headers, texts, short values");
    let frequency = usize::from(M701 + 17);
    assert_eq!((map[frequency], map[frequency + 1]), (rotated[frequency + 1], rotated[frequency]));
    let turned: Vec<u16> = try_read(&cabin, BASE + M701 + 19, 4).unwrap().into_iter().rev().collect();
    assert_eq!(turned, energies, "64 bits turn as a whole");
    assert_eq!(write(&cabin, M704 + 24, &[0, 1000]), Err(3), "1000 W written the usual way are 65 MW here");
    write(&cabin, M704 + 24, &[1000, 0]).unwrap();
    assert!((cabin.truth().set_point_w - 1000.0).abs() < 1e-9);
}

#[test]
fn not_implemented_hides_measurements_and_nothing_else() {
    let cabin = running();
    cabin.pcs().faults().set(Fault::NotImplemented);
    assert_eq!(read(&cabin, M701 + 10), 0x8000, "W");
    assert_eq!(read_u32(&cabin, M701 + 17), 0xFFFF_FFFF, "Hz");
    assert_eq!((read(&cabin, M802 + 11), read(&cabin, M802 + 45)), (0xFFFF, 0xFFFF), "SoC and a limit");
    assert_eq!((read(&cabin, 70), read(&cabin, M701 + 115), read(&cabin, M704 + 22)), (701, 0xFFFD, 1));
    cabin.pcs().faults().clear_all();
    assert_eq!(read(&cabin, M701 + 10), 0);
}

#[test]
fn a_frozen_device_obeys_but_does_not_show_it() {
    let cabin = running();
    cabin.pcs().faults().set(Fault::Frozen);
    let before = try_read(&cabin, BASE + M701, 125).unwrap();
    write(&cabin, M704 + 24, &watts(2000)).unwrap();
    assert_eq!(try_read(&cabin, BASE + M704 + 24, 2).unwrap(), watts(2000), "settings read as written");
    run(&cabin, 5);
    assert_eq!(try_read(&cabin, BASE + M701, 125).unwrap(), before);
    assert_eq!(read_u32(&cabin, M715 + 3), 4, "the heartbeat of the moment it froze");
    assert!((cabin.truth().inverter_w - 2000.0).abs() < 1.0);
    cabin.pcs().faults().clear_all();
    assert_eq!((read_i16(&cabin, M701 + 10), read_u32(&cabin, M715 + 3)), (2000, 9));
}

#[test]
fn a_device_that_lost_its_life_still_measures() {
    let cabin = running();
    cabin.pcs().faults().set(Fault::LifeFrozen);
    write(&cabin, M704 + 24, &watts(2000)).unwrap();
    run(&cabin, 5);
    assert_eq!((read_u32(&cabin, M715 + 3), read(&cabin, M802 + 18)), (4, 4));
    assert_eq!(read_i16(&cabin, M701 + 10), 2000);
}

proptest! {
    #[test]
    fn no_request_panics(pdus in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..260), 1..20)) {
        let cabin = CabinWorld::new(1);
        for pdu in pdus {
            cabin.pcs().answer(1, &pdu, &mut Pdu::new());
            cabin.step(0.01);
        }
    }

    #[test]
    fn no_write_into_the_map_panics_or_is_taken_in_part(
        offset in 0_u16..430,
        words in proptest::collection::vec(prop_oneof![0_u16..5, any::<u16>()], 1..20),
    ) {
        let cabin = CabinWorld::new(1);
        let whole = |cabin: &CabinWorld| -> Vec<u16> {
            (0..4).flat_map(|part| try_read(cabin, BASE + part * 107, 107).unwrap()).collect()
        };
        let before = whole(&cabin);
        let written = write(&cabin, offset, &words);
        let after = whole(&cabin);
        let at = usize::from(offset);
        match written {
            Ok(()) => prop_assert_eq!(&after[at..at + words.len()], &words[..]),
            Err(_) => prop_assert_eq!(after, before),
        }
    }
}
