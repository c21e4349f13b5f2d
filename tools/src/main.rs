//! `flyball`: the one binary, a subcommand per file.
//!
//! Exit codes: 0 fine, 1 the answer is no (a bad site, a violated invariant), 2 wrong usage, 3 could not run.

#![forbid(unsafe_code)]

mod commands;
mod exit;
mod logger;
mod site;
mod status;

#[cfg(feature = "demo")]
mod broker;

use clap::{Parser, Subcommand};
use exit::Exit;
use std::process::ExitCode;

/// A deterministic scan-cycle controller for battery storage and off-grid sites.
///
/// Exit codes: 0 fine, 1 the answer is no (a bad site, a violated invariant), 2 wrong usage, 3 could not run.
#[derive(Parser)]
#[command(name = "flyball", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the demo site with a simulated meter, battery and inverter, all on this machine.
    #[cfg(feature = "demo")]
    Demo(commands::demo::Args),
    /// Run a site.
    Run(commands::run::Args),
    /// Check site files: every problem with its place, then what the site is.
    Check(commands::check::Args),
    /// Run a site with its simulated plant in virtual time, far faster than real time.
    #[cfg(feature = "demo")]
    Simulate(commands::simulate::Args),
    /// Measure.
    #[cfg(feature = "demo")]
    Bench(commands::bench::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let exit = match cli.command {
        #[cfg(feature = "demo")]
        Command::Demo(args) => commands::demo::run(&args),
        Command::Run(args) => commands::run::run(&args),
        Command::Check(args) => commands::check::run(&args),
        #[cfg(feature = "demo")]
        Command::Simulate(args) => commands::simulate::run(&args),
        #[cfg(feature = "demo")]
        Command::Bench(args) => commands::bench::run(&args),
    };
    let exit = exit.unwrap_or_else(|error| {
        exit::complain(&exit::sentence(&error));
        Exit::CouldNotRun
    });
    exit.into()
}
