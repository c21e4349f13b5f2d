use super::*;
use crate::bench::{Site, says};
use flyball_io_map::image::ValueKind;
use flyball_io_map::image::output::{By, Cause};

#[test]
fn a_command_is_demanded_while_it_lasts_and_ramps_out_after() {
    let settings = Settings { name: None, every_ms: None, command: says("cmd.p"), power: says("ess.p"), rank: 5 };
    let site = Site::default().point("cmd.p", ValueKind::Real, Unit::W).real("ess.p", 0.0);
    let mut bench = site.bench(|site| wire(&settings, site));
    bench.scan();
    assert_eq!(bench.power(), (0.0, Cause::NoDemand), "nobody has commanded yet");
    bench.set("cmd.p", -4_000.0);
    bench.scan();
    assert_eq!(bench.power(), (-4_000.0, Cause::Demand(By(0))));
    bench.lose("cmd.p");
    bench.scan();
    assert_eq!(bench.power(), (-3_950.0, Cause::NoDemand));
}
