use super::*;
use crate::bench::{Site, says};
use flyball_io_map::image::output::{By, Cause, Drive};

fn settings(value: &str) -> Settings {
    Settings { name: None, output: says("panel.contactor"), value: says(value), rank: 0 }
}

#[test]
fn the_value_is_demanded_in_every_scan_and_acts_when_the_site_arms() {
    let mut bench = Site::default().contactor("panel.contactor").bench(|site| wire(&settings("Closed"), site));
    bench.drive = Drive::Held(Cause::Disarmed);
    bench.scan();
    assert_eq!(bench.outputs.choices()[0].applied(), (0, Cause::Disarmed));
    bench.drive = Drive::Armed;
    for _ in 0..3 {
        bench.scan();
        assert_eq!(bench.outputs.choices()[0].applied(), (1, Cause::Demand(By(0))));
    }
}

#[test]
fn a_value_that_does_not_exist_is_refused() {
    let problems = Site::default().contactor("panel.contactor").problems(|site| wire(&settings("Shut"), site));
    assert_eq!(problems, ["`panel.contactor` has no value `Shut`"]);
}
