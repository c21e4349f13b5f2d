//! `flyball simulate`: the site with its plant in virtual time. The controller and the field code are those of a running
//! site; only threads and sockets are missing.

use crate::exit::{Exit, complain, say};
use crate::site::load;
use anyhow::Result;
use flyball_hil::virtual_site::VirtualSite;
use flyball_runtime::clock::monotonic_ns;
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

/// What to simulate, and for how long.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The site file; its devices are taken by their simulators.
    site: PathBuf,
    /// How long in virtual time, like 24h or 90s.
    #[arg(long = "for", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// Of the plant's weather, appliances and noise. The same seed gives the same bits.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<Exit> {
    crate::logger::install(true);
    let Some(site) = load(&args.site)? else {
        return Ok(Exit::No);
    };
    let mut running = VirtualSite::new(&site, args.seed)?;
    let ms = u64::try_from(args.duration.as_millis())?;
    let began_ns = monotonic_ns();
    running.run_ms(ms);
    let wall_s = Duration::from_nanos(monotonic_ns() - began_ns).as_secs_f64();
    let simulated_s = Duration::from_nanos(running.now().0).as_secs_f64();
    let speed = simulated_s / wall_s;
    let violations = running.oracle().count();
    let hash = format!("{:016x}", running.hash());
    if args.json {
        let (scans, first) =
            (running.scans(), running.oracle().violations().iter().map(ToString::to_string).collect::<Vec<_>>());
        say(&json!({"simulated_s": simulated_s, "wall_s": wall_s, "speed": speed, "scans": scans, "hash": hash,
            "violations": violations, "first_violations": first, "seed": args.seed})
        .to_string());
    } else {
        let truth = running.truth();
        say(&format!(
            "simulated {simulated_s:.0} s in {wall_s:.2} s: {speed:.0} times real time, {} scans",
            running.scans()
        ));
        say(&format!("outputs of all scans: hash {hash} (seed {})", args.seed));
        let (imported, exported) = (truth.energy.imported_wh / 1e3, truth.energy.exported_wh / 1e3);
        say(&format!(
            "state of charge {:.1} %, imported {imported:.2} kWh, exported {exported:.2} kWh",
            truth.soc * 100.0
        ));
        say(&format!("violations: {violations}"));
    }
    running.oracle().violations().iter().take(if args.json { 0 } else { 10 }).for_each(|v| complain(&v.to_string()));
    Ok(if violations == 0 { Exit::Fine } else { Exit::No })
}
