//! Loading a site for a command: a bad site is an answer, a file that cannot be read is not.

use crate::exit::complain;
use anyhow::{Result, bail};
use flyball_config::{LoadError, Site};
use std::path::Path;

/// The site, or `None` after its problems were printed.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn load(path: &Path) -> Result<Option<Site>> {
    match flyball_config::load(path) {
        Ok(site) => Ok(Some(site)),
        Err(LoadError::Refused(report)) => {
            complain(&report.to_string());
            Ok(None)
        }
        Err(error @ LoadError::Unreadable { .. }) => bail!("{error}"),
    }
}
