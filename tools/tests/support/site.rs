//! Sites on free ports, made from the demo's.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The demo's site file.
pub(crate) const DEMO: &str = include_str!("../../../config/sites/demo.ron");

static FOLDERS: AtomicU32 = AtomicU32::new(0);

/// A folder of its own for a test; gone when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("flyball-test-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file and says where.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The demo's site with some text replaced; each text must be there exactly once.
pub(crate) fn demo_with(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(DEMO.to_owned(), |site, (from, to)| {
        assert_eq!(site.matches(from).count(), 1, "`{from}` in the demo's site");
        site.replace(from, to)
    })
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
