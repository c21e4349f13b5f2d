//! Programs that are not ours. Without them a test is skipped, which it says where everybody sees it.

use super::loudly;
use std::path::{Path, PathBuf};

/// The Python of `FLYBALL_PEERS`, with pymodbus and pysunspec2.
pub(crate) fn python(test: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("FLYBALL_PEERS") else {
        skipped(test, "FLYBALL_PEERS is not set; `tools/test` makes the Python peers and sets it");
        return None;
    };
    let python = Path::new(&folder).join("python");
    if !python.exists() {
        skipped(test, &format!("{} does not exist; `tools/test` makes it", python.display()));
        return None;
    }
    Some(python)
}

/// A program of the system, by its name.
pub(crate) fn tool(test: &str, name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian keeps daemons where the PATH of a user does not look
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = folders.map(|folder| folder.join(name)).find(|program| program.is_file());
    if found.is_none() {
        skipped(test, &format!("{name} is not installed; `tools/test` installs it"));
    }
    found
}

/// A script beside the peers.
pub(crate) fn script(name: &str) -> String {
    format!("{}/../hil-tests/peers/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn skipped(test: &str, why: &str) {
    loudly(&format!("SKIPPED {test}: {why}"));
}
