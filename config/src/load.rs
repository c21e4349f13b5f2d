//! The convenience of reading a site from disk. The only place of this crate that opens a file.

use crate::report::{Faulty, Report};
use crate::site::Site;
use flyball_io_map::document;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Why a site file gave no site.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read at all.
    #[error("{path}: {why}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        why: std::io::Error,
    },
    /// It was read, and says something impossible.
    #[error("{0}")]
    Refused(Report),
}

/// Reads and checks the site file at `path`; profile files beside it are found in its folder.
///
/// # Errors
/// That a file cannot be read, or everything that is wrong with it.
pub fn load(path: &Path) -> Result<Site, LoadError> {
    let name = path.display().to_string();
    let bytes = read(path).map_err(|why| LoadError::Unreadable { path: path.to_owned(), why })?;
    let text = document::text_of(&bytes).map_err(|(text, problem)| {
        let faulty = Faulty { file: name.clone(), text, problems: vec![problem] };
        LoadError::Refused(Report::new(vec![faulty]))
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let beside = |file: &str| {
        let bytes = read(&folder.join(file)).map_err(|why| why.to_string())?;
        document::text_of(&bytes).map(str::to_owned).map_err(|(_, problem)| problem.message)
    };
    Site::check(&name, text, &beside).map_err(LoadError::Refused)
}

/// A file, but no more of it than the check looks at: a device or an endless pipe ends here too.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let most = u64::try_from(document::BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
