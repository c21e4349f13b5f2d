//! The simulated inverter, scanned by pysunspec2: it is the simulator that is proven right here, for everything else in
//! this house is tested against it.
#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use flyball_hil::cabin::{CabinParams, CabinWorld};
use flyball_hil::device::sunspec::{Base, SunSpecSettings};
use flyball_hil::server::Server;
use support::in_real_time;
use support::peers::{python, script};
use support::process::says;

#[test]
fn pysunspec2_finds_a_legal_and_plausible_inverter_at_each_base() {
    let test = "pysunspec2_finds_a_legal_and_plausible_inverter_at_each_base";
    let Some(python) = python(test) else { return };
    in_real_time(test, || {
        for base in [Base::Zero, Base::FortyThousand, Base::FiftyThousand] {
            let pcs = SunSpecSettings { base, ..SunSpecSettings::default() };
            let cabin = CabinWorld::with(CabinParams { pcs, ..CabinParams::default() });
            let server = Server::start("127.0.0.1:0", cabin.pcs().clone(), cabin.pcs().faults().clone()).unwrap();
            let _moving = cabin.world().start_real_time(10).unwrap();
            let port = server.addr().port().to_string();
            let said = says(&python, &[&script("sunspec_scan.py"), "127.0.0.1", &port]);
            assert_eq!(said.code, Some(0), "{base:?}: {said:?}");
            let found: serde_json::Value = serde_json::from_str(&said.out).unwrap();
            assert_eq!(found["base"].as_u64(), Some(u64::from(base.register())), "{said:?}");
        }
    });
}
