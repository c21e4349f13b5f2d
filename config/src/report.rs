//! Why a site is refused: every problem of the site file, and of profile files beside it, each with its place.

use flyball_io_map::document::{self, Problem};
use std::fmt;
use std::ops::Range;

/// A file with problems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faulty {
    /// Its name, as the user gave it.
    pub file: String,
    /// Its text, in which the problems have their places.
    pub text: String,
    /// What is wrong with it, in the order of the text; at least one.
    pub problems: Vec<Problem>,
}

/// All that is wrong with a site. Its text form underlines every place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    files: Vec<Faulty>,
}

impl Report {
    /// A report on the site file, followed by those on its profiles.
    pub(crate) fn new(files: Vec<Faulty>) -> Self {
        Self { files: files.into_iter().filter(|f| !f.problems.is_empty()).collect() }
    }

    /// Per file, the site first, what is wrong with it.
    #[must_use]
    pub fn files(&self) -> &[Faulty] {
        &self.files
    }

    /// How many problems there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.files.iter().map(|f| f.problems.len()).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for faulty in &self.files {
            writeln!(f, "{}\n", document::render(&faulty.file, &faulty.text, &faulty.problems))?;
        }
        let count = self.count();
        write!(f, "{count} problem{}", if count == 1 { "" } else { "s" })
    }
}

impl std::error::Error for Report {}

/// Problems while they are collected.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    pub(crate) all: Vec<Problem>,
    /// Names that lead to nothing because of a problem at their own place: who uses them is not to blame.
    lost: Vec<String>,
    /// A number makes no sense, so that nothing can be computed from it.
    pub(crate) senseless: bool,
}

impl Problems {
    /// Notes a problem.
    pub(crate) fn say(&mut self, span: &Range<usize>, message: impl Into<String>) {
        self.all.push(Problem::at(span.clone(), message));
    }

    /// Notes a problem with what would be right.
    pub(crate) fn say_help(&mut self, span: &Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.all.push(Problem::at(span.clone(), message).help(help));
    }

    /// Notes a name that nobody knows, with the one that was probably meant.
    pub(crate) fn unknown(&mut self, span: &Range<usize>, message: impl Into<String>, name: &str, known: &[&str]) {
        if !self.is_lost(name) {
            let problem = Problem::at(span.clone(), message);
            self.all.push(Problem { help: document::proposal(name, known), ..problem });
        }
    }

    /// Notes that a name leads to nothing because of another problem.
    pub(crate) fn lose(&mut self, name: impl Into<String>) {
        self.lost.push(name.into());
    }

    /// Whether a name, or the device that it belongs to, leads to nothing because of another problem.
    pub(crate) fn is_lost(&self, name: &str) -> bool {
        let belongs = |lost: &String| {
            name.strip_prefix(lost.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.lost.iter().any(belongs)
    }
}
