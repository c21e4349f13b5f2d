//! `flyball check`: every problem of a site file with its place, or what the site is and how fast it reacts.

use crate::exit::{Exit, complain, say};
use anyhow::Result;
use flyball_config::{LoadError, Site, load};
use serde_json::json;
use std::path::PathBuf;

/// Which files.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Site files.
    #[arg(required = true)]
    sites: Vec<PathBuf>,
    /// One JSON object a file, a line each.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<Exit> {
    let mut exit = Exit::Fine;
    for path in &args.sites {
        let file = path.display().to_string();
        match load(path) {
            Ok(site) if args.json => {
                say(&json!({"file": file, "ok": true, "site": site.name(), "timing": site.timing()}).to_string())
            }
            Ok(site) => describe(&file, &site),
            Err(error) => {
                let (worse, problems) = judge(&error);
                if args.json {
                    say(&json!({"file": file, "ok": false, "problems": problems}).to_string());
                } else {
                    complain(&error.to_string());
                }
                exit = if exit == Exit::CouldNotRun { exit } else { worse };
            }
        }
    }
    Ok(exit)
}

/// A file that cannot be read could not be checked; one that was read is a bad site.
fn judge(error: &LoadError) -> (Exit, serde_json::Value) {
    match error {
        LoadError::Unreadable { .. } => (Exit::CouldNotRun, json!([{"message": error.to_string()}])),
        LoadError::Refused(report) => {
            let all = report.files().iter().flat_map(|faulty| {
                faulty.problems.iter().map(move |p| {
                    let (line, column) = p.place(&faulty.text);
                    json!({"file": faulty.file, "line": line, "column": column, "message": p.message, "help": p.help})
                })
            });
            (Exit::No, all.collect())
        }
    }
}

fn describe(file: &str, site: &Site) {
    let (devices, points) = (site.devices().len(), site.points().len());
    let (outputs, programs) = (site.outputs().len(), site.program_names().count());
    say(&format!(
        "{file}: fine. Site `{}`: {devices} devices, {points} points, {outputs} outputs, {programs} programs.",
        site.name()
    ));
    for device in site.devices() {
        let watchdog = device.watchdog_ms.map_or_else(|| "none".into(), |ms| format!("{ms} ms"));
        let (name, address, unit) = (&device.name, device.address, device.unit);
        let (vendor, model) = (&device.profile.vendor, &device.profile.model);
        say(&format!(
            "  {name}: {vendor} {model} at {address} unit {unit}, polled every {} ms, own watchdog {watchdog}",
            device.poll_ms
        ));
    }
    say("");
    say(&site.timing().to_string());
}
