//! Serves the cabin's three devices over Modbus TCP in real time, until standard input is closed.
//!
//! ```sh
//! cargo run -p flyball-hil --example serve_cabin [METER_PORT PCS_PORT PANEL_PORT [SUNSPEC_BASE]]
//! ```
//! Ports default to 0 (any free one), the base to 40000 (0 and 50000 are the others). One JSON line on standard output
//! names the addresses: `{"meter":"127.0.0.1:…","pcs":"127.0.0.1:…","panel":"127.0.0.1:…"}`.

use std::io::{self, Write};
use std::process::ExitCode;

use flyball_hil::cabin::{CabinParams, CabinWorld};
use flyball_hil::device::sunspec::{Base, SunSpecSettings};
use flyball_hil::server::Server;
use flyball_hil::world::Port;

fn main() -> ExitCode {
    match arguments().and_then(|(ports, base)| serve(ports, base)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to be done about a closed standard error.
            let _ = writeln!(io::stderr(), "serve_cabin: {error}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> io::Result<([u16; 3], Base)> {
    let mut ports = [0; 3];
    let mut base = Base::default();
    for (n, argument) in std::env::args().skip(1).enumerate() {
        let wrong = || io::Error::new(io::ErrorKind::InvalidInput, format!("argument {} is {argument:?}", n + 1));
        let number: u16 = argument.parse().map_err(|_| wrong())?;
        match (ports.get_mut(n), number) {
            (Some(port), _) => *port = number,
            (None, 0) => base = Base::Zero,
            (None, 40_000) => base = Base::FortyThousand,
            (None, 50_000) => base = Base::FiftyThousand,
            _ => return Err(wrong()),
        }
    }
    Ok((ports, base))
}

fn serve([meter, pcs, panel]: [u16; 3], base: Base) -> io::Result<()> {
    let cabin = CabinWorld::with(CabinParams {
        pcs: SunSpecSettings { base, ..SunSpecSettings::default() },
        ..CabinParams::default()
    });
    let start = |port: u16, device: &Port| Server::start(("127.0.0.1", port), device.clone(), device.faults().clone());
    let servers = [start(meter, cabin.meter())?, start(pcs, cabin.pcs())?, start(panel, cabin.panel())?];
    let _moving = cabin.world().start_real_time(10)?;
    let [meter, pcs, panel] = servers.each_ref().map(Server::addr);
    let mut out = io::stdout();
    writeln!(out, r#"{{"meter":"{meter}","pcs":"{pcs}","panel":"{panel}"}}"#)?;
    out.flush()?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}
