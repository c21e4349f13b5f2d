//! How long a plant step and an answer take, in nanoseconds, as one JSON line. Run it with `--release`.
//!
//! The requests are what a controller polls: 50 registers of the meter, model 701, model 802, the panel's inputs, and a
//! written set-point; the plant moves between any two, so that nothing is answered from what already stands there.

use std::io::{self, Write};

use flyball_hil::cabin::CabinWorld;
use flyball_hil::clock::Stopwatch;
use flyball_hil::device::Pdu;
use flyball_hil::plant::{Plant, PlantParams};
use flyball_hil::world::Port;

/// How often each thing is done.
const TIMES: u32 = 500_000;

fn main() -> io::Result<()> {
    let mut plant = Plant::new(PlantParams::default());
    plant.panel.write_coil(true);
    plant.inverter.set_point.enable(true);
    plant.inverter.set_point.write_w(2000.0);
    let step = nanoseconds(|| plant.step(0.01));
    let cabin = CabinWorld::new(1);
    let world_step = nanoseconds(|| cabin.step(0.01));
    let asked: [(&str, &Port, &[u8]); 5] = [
        ("meter_50_registers", cabin.meter(), &[3, 0, 0, 0, 50]),
        ("pcs_model_701", cabin.pcs(), &[3, 0x9C, 0x86, 0, 125]),
        ("pcs_model_802", cabin.pcs(), &[3, 0x9D, 0xAA, 0, 64]),
        ("pcs_write_set_point", cabin.pcs(), &[16, 0x9D, 0x6D, 0, 2, 4, 0, 0, 0x03, 0xE8]),
        ("panel_inputs", cabin.panel(), &[2, 0, 0, 0, 3]),
    ];
    let mut line = format!(r#"{{"plant_step":{step},"world_step":{world_step}"#);
    for (name, port, pdu) in asked {
        let mut out = Pdu::new();
        let both = nanoseconds(|| {
            cabin.step(0.01);
            port.answer(1, pdu, &mut out);
        });
        if out.as_slice().first().is_none_or(|function| function & 0x80 != 0) {
            return Err(io::Error::other(format!("{name} was refused: {:02x?}", out.as_slice())));
        }
        line += &format!(r#","{name}":{}"#, both.saturating_sub(world_step));
    }
    writeln!(io::stdout(), "{line}}}")
}

/// Mean time of `act`, ns.
fn nanoseconds(mut act: impl FnMut()) -> u128 {
    let clock = Stopwatch::start();
    for _ in 0..TIMES {
        act();
    }
    clock.elapsed().as_nanos() / u128::from(TIMES)
}
