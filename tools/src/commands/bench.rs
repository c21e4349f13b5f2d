//! `flyball bench`: figures, each beside its target. Nothing here is a test: machines are shared and noisy.

use crate::exit::{Exit, say};
use anyhow::{Context, Result, bail};
use clap::Subcommand;
use flyball_hil::reference::{DEVICES, PROGRAMS, ReferenceSite};
use flyball_runtime::clock::monotonic_ns;
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// One scan of the reference site (20 devices, 30 programs) with 1 000 and with 10 000 points.
    Scan {
        /// How many scans are measured of each size.
        #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
        scans: u32,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// `flyball run`: start to first scan, and resident memory.
    Start {
        /// The site; its devices need not be there.
        #[arg(default_value = "config/sites/demo.ron")]
        site: PathBuf,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// A measured number and what it should be at most.
struct Figure {
    name: &'static str,
    value: f64,
    target: Option<f64>,
}

pub(crate) fn run(args: &Args) -> Result<Exit> {
    let (figures, json) = match &args.what {
        What::Scan { scans, json } => {
            if !json {
                say(&format!("reference site: {DEVICES} devices, {PROGRAMS} programs"));
            }
            (scan(*scans), *json)
        }
        What::Start { site, json } => (start(site)?, *json),
    };
    print(&figures, json);
    Ok(Exit::Fine)
}

fn scan(scans: u32) -> Vec<Figure> {
    let mut sizes = [1_000, 10_000].map(|points| measured(points, scans));
    let [small, large] = &mut sizes;
    let (small_us, large_us) = (quantile_us(small, 0.5), quantile_us(large, 0.5));
    vec![
        Figure { name: "scan.median_us", value: small_us, target: Some(10.0) },
        Figure { name: "scan.p999_us", value: quantile_us(small, 0.999), target: None },
        Figure { name: "scan.10000_points.median_us", value: large_us, target: None },
        Figure { name: "scan.10000_points.ratio", value: large_us / small_us, target: Some(12.0) },
    ]
}

/// Duration of each scan, ns. The two readings of the clock are in it.
fn measured(points: usize, scans: u32) -> Vec<u64> {
    let mut site = ReferenceSite::new(points);
    let mut one = || {
        site.field();
        let began_ns = monotonic_ns();
        site.scan();
        monotonic_ns() - began_ns
    };
    for _ in 0..1_000 {
        let _ = one();
    }
    (0..scans).map(|_| one()).collect()
}

fn quantile_us(durations_ns: &mut [u64], q: f64) -> f64 {
    durations_ns.sort_unstable();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index into millions"
    )]
    let at = ((durations_ns.len() - 1) as f64 * q) as usize;
    let ns = u32::try_from(durations_ns[at]).unwrap_or(u32::MAX);
    f64::from(ns) / 1_000.0
}

/// How long to let the site run before its memory is read, ms.
const SETTLED_MS: u64 = 2_000;

fn start(site: &std::path::Path) -> Result<Vec<Figure>> {
    let exe = std::env::current_exe().context("this program does not know its own path")?;
    let began_ns = monotonic_ns();
    let mut child =
        Command::new(exe).arg("run").arg(site).args(["--json", "--for", "3s"]).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("its output is piped")?).lines();
    let first = lines.find(|line| line.as_ref().is_ok_and(|l| l.contains("first_scan")));
    let first_scan_ns = monotonic_ns() - began_ns;
    if first.is_none() {
        bail!("`flyball run {}` ended before its first scan with {}", site.display(), child.wait()?);
    }
    flyball_runtime::clock::until(flyball_runtime::clock::Deadline::after_ms(SETTLED_MS), || false);
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).context("no /proc/PID/status")?;
    let field =
        |name: &str| status.lines().find_map(|l| l.strip_prefix(name)?.split_whitespace().next()?.parse::<f64>().ok());
    let (rss_kb, threads) = (field("VmRSS:").context("no VmRSS")?, field("Threads:").context("no Threads")?);
    let _ = child.wait()?;
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a start")]
    let first_scan_ms = first_scan_ns as f64 / 1e6;
    Ok(vec![
        Figure { name: "start.first_scan_ms", value: first_scan_ms, target: Some(300.0) },
        Figure { name: "start.resident_mb", value: rss_kb / 1_024.0, target: Some(30.0) },
        Figure { name: "start.threads", value: threads, target: None },
    ])
}

fn print(figures: &[Figure], json: bool) {
    let ok = |f: &Figure| f.target.is_none_or(|t| f.value <= t);
    if json {
        let rows = figures.iter().map(|f| json!({"name": f.name, "value": f.value, "target": f.target, "ok": ok(f)}));
        say(&json!({"figures": rows.collect::<Vec<_>>()}).to_string());
        return;
    }
    for f in figures {
        let target =
            f.target.map_or_else(String::new, |t| format!("target ≤ {t}: {}", if ok(f) { "met" } else { "missed" }));
        say(&format!("{:<30} {:>12.3}  {target}", f.name, f.value));
    }
}
