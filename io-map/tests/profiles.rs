//! Every profile that comes with the house: read, checked, bound to a device of registers, and mutilated.

use flyball_io_map::document::render;
use flyball_io_map::image::{NoData, Reading, ScanTime};
use flyball_io_map::modbus::{Area, Discovery, EncodeError, Exception, ModelTable, Poll, Request};
use flyball_io_map::profile::{
    BindError, Bound, Decoded, Profile, Settings, WRITE_MAX, Watchdog, WriteGroup, library, load,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

#[path = "profiles/mutants.rs"]
mod mutants;

fn text(name: &str) -> &'static str {
    library().iter().find(|(n, _)| *n == name).expect("a profile of the library").1
}

/// Each profile is read once, since reading takes longer than any test here.
fn loaded(name: &str) -> Profile {
    static LOADED: OnceLock<BTreeMap<&str, Profile>> = OnceLock::new();
    let read = |(name, text): &(&'static str, &str)| {
        (*name, load(text).unwrap_or_else(|problems| panic!("{}", render(name, text, &problems))))
    };
    LOADED.get_or_init(|| library().iter().map(read).collect())[name].clone()
}

/// A device: what its registers and bits hold.
#[derive(Default)]
struct Device(BTreeMap<(Area, u16), u16>);

impl Device {
    fn put(&mut self, area: Area, at: u16, words: &[u16]) {
        (at..).zip(words).for_each(|(at, word)| _ = self.0.insert((area, at), *word));
    }

    fn holding(&mut self, at: u16, words: &[u16]) {
        self.put(Area::Holding, at, words);
    }

    fn read(&self, request: Request<'_>) -> Result<Vec<u16>, Exception> {
        let Request::Read { area, at, count } = request else { panic!("{request:?} is no read") };
        (at..=at + (count - 1)).map(|at| self.0.get(&(area, at)).copied().ok_or(Exception::IllegalAddress)).collect()
    }

    fn write(&mut self, request: Request<'_>) {
        match request {
            Request::WriteCoil { at, on } => self.put(Area::Coil, at, &[u16::from(on)]),
            Request::WriteRegister { at, value } => self.holding(at, &[value]),
            Request::WriteCoils { at, values } => self.put(Area::Coil, at, values),
            Request::WriteRegisters { at, values } => self.holding(at, values),
            Request::Read { .. } => panic!("a read"),
        }
    }
}

/// A profile on a device, as a field thread would hold it.
struct Session {
    profile: Profile,
    bound: Bound,
    device: Device,
    readings: Vec<Reading>,
}

impl Session {
    fn new(name: &str, device: Device, models: Option<&ModelTable>) -> Self {
        let profile = loaded(name);
        let bound = profile.bind(models, Settings::default()).expect("the device fits");
        let readings = vec![Reading::NEVER; profile.points.len()];
        Self { profile, bound, device, readings }
    }

    /// Reads every block at this time, those with scale factors first.
    fn poll(&mut self, ms: u64) -> Vec<Decoded> {
        let mut order: Vec<usize> = (0..self.bound.blocks().len()).collect();
        order.sort_by_key(|i| !self.bound.blocks()[*i].has_factors());
        let mut decoded = Vec::new();
        for i in order {
            match self.device.read(self.bound.blocks()[i].request()) {
                Ok(words) => {
                    let taken = ScanTime::from_ms(ms);
                    decoded.push(self.bound.decode_block(i, &words, taken, &mut self.readings));
                }
                Err(e) => self.bound.lose_block(i, NoData::Refused(e.code()), &mut self.readings),
            }
        }
        decoded
    }

    fn value(&self, point: &str) -> Result<f64, NoData> {
        let index = self.profile.point(point).unwrap_or_else(|| panic!("no point `{point}`"));
        self.readings[index].fresh(self.readings[index].taken(), 0)
    }

    fn group(&self, writable: &str) -> &WriteGroup {
        let index = self.profile.writable(writable).expect("a writable");
        self.bound.groups().iter().find(|g| g.writables().contains(&index)).expect("each writable has a group")
    }

    /// Writes a group with this one value, and checks that the device shows it.
    fn write(&mut self, writable: &str, value: f64) -> Result<(), EncodeError> {
        let mut values = vec![0.0; self.profile.writables.len()];
        values[self.profile.writable(writable).expect("a writable")] = value;
        let group = self.group(writable).clone();
        let mut buffer = [0; WRITE_MAX];
        self.device.write(self.bound.write(&group, &values, &mut buffer)?);
        if let Some((request, _)) = group.read_back() {
            let read = self.device.read(request).expect("it was written there");
            assert_eq!(self.bound.taken(&group, &buffer, &read), Ok(()));
        }
        Ok(())
    }

    fn connect(&mut self) {
        for step in self.bound.connect().to_vec() {
            let mut buffer = [0; WRITE_MAX];
            self.device.write(self.bound.write(&step, &[], &mut buffer).expect("a constant that was checked"));
        }
    }
}

#[test]
fn every_profile_in_the_folder_is_in_the_library_and_good() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles");
    let mut files = Vec::new();
    for vendor in std::fs::read_dir(&folder).expect("the folder of profiles") {
        let vendor = vendor.expect("a folder").path();
        for file in std::fs::read_dir(&vendor).expect("a vendor's folder") {
            let name = file.expect("a file").path().with_extension("");
            files.push(name.strip_prefix(&folder).expect("inside").to_string_lossy().replace('\\', "/"));
        }
    }
    files.sort();
    let names: Vec<&str> = library().iter().map(|(name, _)| *name).collect();
    assert_eq!(files, names);
    for name in names {
        let profile = loaded(name);
        let watched = !profile.writables.is_empty();
        assert_eq!(watched, profile.watchdog != Watchdog::NotNeeded, "{name}");
    }
}

#[test]
fn the_em540_is_asked_little_and_understood() {
    let mut device = Device::default();
    device.holding(0, &[0; 0x50]);
    device.holding(0x0000, &[2301, 0]);
    device.holding(0x000C, &[0x3039, 0]);
    device.holding(0x0028, &[0x3CB0, 0xFFFF]);
    device.holding(0x0034, &[0xE240, 0x0001]);
    device.holding(0x053C, &[0xC34B, 0]);
    device.holding(0x002C, &[0xFFFF, 0x7FFF]);
    let mut meter = Session::new("carlo-gavazzi/em540", device, None);
    let fast: Vec<Request<'_>> = meter
        .bound
        .blocks()
        .iter()
        .filter(|b| b.poll() == Poll::Fast)
        .map(flyball_io_map::profile::ReadBlock::request)
        .collect();
    let read = |at, count| Request::Read { area: Area::Holding, at, count };
    assert_eq!(fast, [read(0x28, 6), read(0x53C, 2)]);
    meter.poll(5);
    let values = ["p", "f", "v_l1", "i_l1", "e_imp", "e_exp"].map(|p| meter.value(p).map(f64::to_bits));
    assert_eq!(values, [-5000.0, 49.995, 230.1, 12.345, 12_345_600.0, 0.0].map(|v: f64| Ok(v.to_bits())));
    assert_eq!(meter.value("q"), Err(NoData::NotImplemented));
    assert_eq!(meter.readings[meter.profile.point("p").expect("a point")].taken(), ScanTime::from_ms(5));
    let frequency = &meter.profile.points[meter.profile.point("f").expect("a point")];
    assert_eq!((frequency.resolution(), frequency.update_ms), (Some(0.001), Some(100)));
    let identity = &meter.bound.identity()[0];
    assert_eq!(identity.request(), read(0x0B, 1));
    assert!(identity.check(&[1744]).is_ok() && identity.check(&[340]).is_err());
}

#[test]
fn a_power_off_by_one_register_or_with_swapped_words_is_implausible() {
    let mut meter = Session::new("carlo-gavazzi/em540", Device::default(), None);
    meter.device.holding(0x28, &[0xFFFF, 0x3CB0, 0, 0, 0, 0]);
    meter.poll(0);
    assert_eq!(meter.value("p"), Err(NoData::Implausible));
}

#[test]
fn a_block_that_is_refused_takes_its_values_with_it_and_no_others() {
    let mut meter = Session::new("carlo-gavazzi/em540", Device::default(), None);
    meter.device.holding(0x28, &[0; 6]);
    meter.device.holding(0x53C, &[0xC350, 0]);
    meter.poll(0);
    assert!(meter.value("p").is_ok() && meter.value("f").is_ok());
    assert_eq!(meter.value("v_l1"), Err(NoData::Refused(2)));
    meter.device.0.retain(|(_, at), _| *at != 0x53C);
    meter.poll(1);
    assert_eq!((meter.value("p").is_ok(), meter.value("f")), (true, Err(NoData::Refused(2))));
}

#[test]
fn the_panel_is_armed_and_written_bit_by_bit() {
    let mut device = Device::default();
    device.put(Area::Discrete, 0, &[1, 0, 1]);
    device.put(Area::Input, 0, &[77]);
    let mut panel = Session::new("flyball/panel", device, None);
    panel.poll(0);
    let values = ["estop", "reset", "contactor_closed", "life"].map(|p| panel.value(p).map(f64::to_bits));
    assert_eq!(values, [1.0, 0.0, 1.0, 77.0].map(|v: f64| Ok(v.to_bits())));
    panel.connect();
    assert_eq!((panel.device.0[&(Area::Holding, 0)], panel.bound.watchdog_ms()), (10, Some(1000)));
    panel.write("contactor", 1.0).expect("closed");
    assert_eq!(panel.device.0[&(Area::Coil, 0)], 1);
    panel.write("contactor", 0.0).expect("open");
    assert_eq!(panel.device.0[&(Area::Coil, 0)], 0);
    for nonsense in [2.0, -1.0, 0.5, f64::NAN] {
        assert!(panel.write("contactor", nonsense).is_err(), "{nonsense}");
    }
    let safe: Vec<Option<f64>> = panel.profile.writables.iter().map(|w| w.kind.safe()).collect();
    assert_eq!(safe, [Some(0.0)]);
}

#[test]
fn a_contactor_that_does_not_follow_is_noticed() {
    let panel = Session::new("flyball/panel", Device::default(), None);
    let group = panel.group("contactor");
    assert_eq!(group.read_back(), Some((Request::Read { area: Area::Coil, at: 0, count: 1 }, 500)));
    let mut buffer = [0; WRITE_MAX];
    panel.bound.write(group, &[1.0], &mut buffer).expect("closed");
    let not_taken = panel.bound.taken(group, &buffer, &[0]).expect_err("it stayed open");
    assert_eq!((not_taken.at, not_taken.wrote.to_bits(), not_taken.read), (0, 1.0f64.to_bits(), Ok(0.0)));
    assert!(panel.bound.taken(group, &buffer, &[]).is_err(), "half an answer proves nothing");
}

#[test]
fn a_watchdog_takes_only_what_the_device_can_count() {
    let panel = loaded("flyball/panel");
    let bound = |ms| panel.bind(None, Settings { watchdog_ms: Some(ms) }).map(|b| b.watchdog_ms());
    assert_eq!(bound(2500), Ok(Some(2500)));
    assert_eq!(bound(2550), Err(BindError::WatchdogStep { ms: 2550, device_s: "2.6".into() }));
    assert_eq!(bound(299), Err(BindError::WatchdogRange { ms: 299, low: 300, high: 60_000 }));
    let meter = loaded("carlo-gavazzi/em540");
    assert_eq!(meter.bind(None, Settings { watchdog_ms: Some(1) }).map(|_| ()), Err(BindError::NoWatchdog));
}

/// Models and their lengths, as `OFFSETS` of the standard's model definitions say.
const STORAGE: [(u16, u16); 7] = [(1, 66), (701, 153), (702, 50), (704, 65), (713, 7), (715, 7), (802, 62)];

/// A storage in which every register holds 0, and the models where they stand.
fn storage(models: &[(u16, u16)]) -> (Device, ModelTable) {
    let mut device = Device::default();
    device.holding(40_000, &[0x5375, 0x6E53]);
    let mut at = 40_002;
    for (id, len) in models {
        device.holding(at, &[*id, *len]);
        device.holding(at + 2, &vec![0; usize::from(*len)]);
        at += 2 + len;
    }
    device.holding(at, &[0xFFFF, 0]);
    let profile = loaded("sunspec/storage");
    let needs = profile.sunspec.expect("a SunSpec profile");
    let mut discovery = Discovery::new(&needs.bases, &[]);
    loop {
        let answer = device.read(discovery.request());
        if let Some(table) = discovery.take(answer.as_deref().map_err(|e| *e)).expect("a good map") {
            return (device, table);
        }
    }
}

fn session() -> (Session, impl Fn(u16, u16) -> u16) {
    let (device, table) = storage(&STORAGE);
    let session = Session::new("sunspec/storage", device, Some(&table));
    (session, move |model, offset| table.find(model).expect("a model").at + offset)
}

#[test]
fn a_storage_is_found_scaled_and_understood() {
    let (mut pcs, at) = session();
    let minus = |n: i16| (-n).cast_unsigned();
    for (model, offset, words) in [
        (701, 4, &[3, 1][..]),
        (701, 6, &[0, 0x0080]),
        (701, 10, &[minus(1234)]),
        (701, 16, &[2350]),
        (701, 17, &[0, 50_012]),
        (701, 114, &[minus(1), minus(3), 1]),
        (702, 34, &[500, 600]),
        (702, 45, &[1]),
        (713, 4, &[655]),
        (713, 8, &[minus(1)]),
        (715, 3, &[0, 42]),
        (802, 22, &[3]),
        (802, 26, &[0, 0x0004]),
        (802, 44, &[minus(100)]),
    ] {
        pcs.device.holding(at(model, offset), words);
    }
    assert!(pcs.poll(0).iter().all(|d| *d == Decoded::AsBefore));
    for (point, value) in [
        ("state", 3.0),
        ("connected", 1.0),
        ("alarm", 1.0),
        ("alarm_bits", 128.0),
        ("p_actual", -12_340.0),
        ("v", 235.0),
        ("f", 50.012),
        ("charge_p_max", 5_000.0),
        ("discharge_p_max", 6_000.0),
        ("soc", 65.5),
        ("hb", 42.0),
        ("battery_state", 3.0),
        ("battery_alarm", 0.0),
        ("battery_warning", 1.0),
        ("battery_i", -100.0),
    ] {
        assert_eq!(pcs.value(point).map(f64::to_bits), Ok(f64::to_bits(value)), "{point}");
    }
    assert_eq!(pcs.bound.absent(), [0; 0]);
    let names: Vec<&str> = pcs.bound.limits().iter().map(|i| pcs.profile.points[*i].name.as_str()).collect();
    assert_eq!(names, ["charge_p_max", "discharge_p_max"]);
}

#[test]
fn what_a_storage_does_not_have_is_not_a_number() {
    let (mut pcs, at) = session();
    pcs.device.holding(at(701, 10), &[0x8000]);
    pcs.device.holding(at(701, 4), &[8]);
    pcs.device.holding(at(701, 12), &[100]);
    pcs.device.holding(at(701, 119), &[0x8000]);
    pcs.device.holding(at(701, 16), &[2300]);
    pcs.device.holding(at(701, 114), &[11]);
    pcs.device.holding(at(713, 4), &[101]);
    pcs.poll(0);
    assert_eq!(pcs.value("p_actual"), Err(NoData::NotImplemented));
    assert_eq!(pcs.value("q"), Err(NoData::NotImplemented), "without a scale there is no value");
    assert_eq!(pcs.value("state"), Err(NoData::Implausible), "a state without a name");
    assert_eq!(pcs.value("v"), Err(NoData::Implausible), "no such scale factor");
    assert_eq!(pcs.value("soc"), Err(NoData::Implausible));
}

#[test]
fn nothing_is_scaled_before_its_factor_was_read() {
    let (mut pcs, _) = session();
    let factorless: Vec<usize> =
        (0..pcs.bound.blocks().len()).filter(|i| !pcs.bound.blocks()[*i].has_factors()).collect();
    for i in factorless {
        let words = pcs.device.read(pcs.bound.blocks()[i].request()).expect("it is there");
        assert_eq!(pcs.bound.decode_block(i, &words, ScanTime(0), &mut pcs.readings), Decoded::AsBefore);
    }
    assert_eq!(pcs.value("p_actual"), Err(NoData::NeverRead));
    assert_eq!(pcs.value("state").map(f64::to_bits), Ok(0));
    assert_eq!(pcs.write("p", 1_000.0), Err(EncodeError::NoScale(NoData::NeverRead)));
}

#[test]
fn a_scale_factor_that_changes_is_reported() {
    let (mut pcs, at) = session();
    pcs.poll(0);
    pcs.device.holding(at(701, 116), &[1]);
    let changed: Vec<Decoded> = pcs.poll(1).into_iter().filter(|d| *d != Decoded::AsBefore).collect();
    assert_eq!(changed, [Decoded::ScaleChanged { at: at(701, 116) }]);
}

#[test]
fn a_storage_is_armed_step_by_step_before_it_is_enabled() {
    let (mut pcs, at) = session();
    pcs.poll(0);
    let mut buffer = [0; WRITE_MAX];
    let mut written = Vec::new();
    for step in pcs.bound.connect() {
        let request = pcs.bound.write(step, &[], &mut buffer).expect("a constant");
        let Request::WriteRegisters { at, values } = request else { panic!("{request:?}") };
        written.push((at, values.to_vec()));
        assert!(step.read_back().is_some(), "each step is proven");
    }
    let expected = [(24, vec![0, 0]), (26, vec![0, 0]), (23, vec![1]), (30, vec![1]), (31, vec![0, 10]), (22, vec![1])];
    assert_eq!(written, expected.map(|(offset, words)| (at(704, offset), words)));
}

#[test]
fn a_set_point_carries_its_enable_and_mode_and_the_devices_scale() {
    let (mut pcs, at) = session();
    pcs.device.holding(at(704, 55), &[2]);
    pcs.poll(0);
    pcs.write("p", -12_345.0).expect("it fits");
    let words = [22, 23, 24, 25].map(|offset| pcs.device.0[&(Area::Holding, at(704, offset))]);
    assert_eq!(words, [1, 1, 0xFFFF, (-123i16).cast_unsigned()]);
    assert!(matches!(pcs.write("p", 2e8), Err(EncodeError::OutOfRange { .. })));
    assert!(matches!(pcs.write("p", f64::NAN), Err(EncodeError::NotANumber(_))));
    // a device that forgot its mode shows it, though the set-point itself reads back
    let group = pcs.group("p");
    let mut buffer = [0; WRITE_MAX];
    pcs.bound.write(group, &[500.0, 0.0, 0.0], &mut buffer).expect("it fits");
    let mut read = buffer[..4].to_vec();
    assert_eq!(pcs.bound.taken(group, &buffer, &read), Ok(()));
    read[0] = 0;
    assert_eq!(pcs.bound.taken(group, &buffer, &read).map_err(|e| e.at), Err(at(704, 22)));
}

#[test]
fn commands_and_the_heartbeat_are_their_registers() {
    let (mut pcs, at) = session();
    pcs.write("run", 1.0).expect("start");
    pcs.write("alarm_reset", f64::NAN).expect("a pulse has no value");
    let words = [7, 8].map(|offset| pcs.device.0[&(Area::Holding, at(715, offset))]);
    assert_eq!(words, [1, 1]);
    assert!(pcs.group("alarm_reset").is_pulse() && !pcs.group("run").is_pulse());
    let heartbeat = pcs.bound.heartbeat().expect("a heartbeat");
    let mut buffer = [0; WRITE_MAX];
    let request = pcs.bound.write(heartbeat, &[65_537.0], &mut buffer);
    assert_eq!(request, Ok(Request::WriteRegisters { at: at(715, 5), values: &[1, 1] }));
    assert!(pcs.bound.write(heartbeat, &[4_294_967_295.0], &mut buffer).is_err(), "that would mean not implemented");
}

#[test]
fn a_storage_without_a_needed_model_does_not_bind() {
    let profile = loaded("sunspec/storage");
    let bind = |models: &[(u16, u16)]| profile.bind(Some(&storage(models).1), Settings::default()).map(|_| ());
    assert_eq!(profile.bind(None, Settings::default()).map(|_| ()), Err(BindError::ModelsUnknown));
    assert_eq!(bind(&STORAGE), Ok(()));
    assert_eq!(bind(&STORAGE[..6]), Err(BindError::ModelMissing { model: 802 }));
    let mut short = STORAGE;
    short[2].1 = 20;
    assert!(matches!(bind(&short), Err(BindError::ModelTooShort { model: 702, len: 22, .. })));
}

#[test]
fn points_of_an_optional_model_may_be_absent() {
    let text = text("sunspec/storage").replace("713, 715, 802]", "713, 715]");
    let profile = load(&text).expect("802 is not needed by what is written");
    let (_, table) = storage(&STORAGE[..6]);
    let bound = profile.bind(Some(&table), Settings::default()).expect("without a battery model");
    let absent: Vec<&str> = bound.absent().iter().map(|i| profile.points[*i].name.as_str()).collect();
    assert_eq!(absent.len(), profile.points.iter().filter(|p| p.source.starts_with("802")).count());
    assert!(absent.contains(&"battery_v") && !absent.contains(&"soc"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_a_device_answers_is_a_plausible_value_or_none(words in prop::collection::vec(any::<u16>(), 0..130), short in 0usize..130) {
        let (mut pcs, _) = session();
        for i in 0..pcs.bound.blocks().len() {
            let Request::Read { count, .. } = pcs.bound.blocks()[i].request() else { panic!("a read") };
            let whole: Vec<u16> = words.iter().copied().cycle().take(words.len() * usize::from(count)).collect();
            let cut = usize::from(count).min(short).min(whole.len());
            let _ = pcs.bound.decode_block(i, &whole[..cut], ScanTime(0), &mut pcs.readings);
        }
        for (point, reading) in pcs.profile.points.iter().zip(&pcs.readings) {
            if let Ok(v) = reading.fresh(ScanTime(0), 0) {
                prop_assert!(point.plausible.0 <= v && v <= point.plausible.1, "{} is {v}", point.name);
            }
        }
    }

    #[test]
    fn a_set_point_is_written_to_within_half_a_count_or_refused(value in any::<f64>(), watts in -1e6f64..1e6, power in -10i16..=10) {
        let (mut pcs, at) = session();
        pcs.device.holding(at(704, 55), &[power.cast_unsigned()]);
        pcs.poll(0);
        for value in [value, watts] {
            if pcs.write("p", value).is_ok() {
                let raw = [24, 25].map(|o| pcs.device.0[&(Area::Holding, at(704, o))]);
                let raw = (u32::from(raw[0]) << 16 | u32::from(raw[1])).cast_signed();
                let count = 10f64.powi(power.into());
                prop_assert!((f64::from(raw) * count - value).abs() <= count * 0.500_001, "{raw} for {value}");
            }
        }
    }
}
