//! RON documents with places: profiles and site files are read by this.
//!
//! What plain serde and ron leave out: the place of every value ([`Spanned`]), keys given twice refused, a misspelt key
//! answered with the one that was meant, and *all* problems of a document in one pass.
//!
//! # How all of them are found
//! ron stops at the first problem. The brackets of the document are read first, so the smallest `key: value` or list element
//! around a problem is known. It is blanked out with spaces, which moves nothing, and the document is read again, until nothing
//! new is found. What is only a consequence (a required key missing because it was blanked out) is not reported.
//!
//! # Limits
//! A document of at most [`BYTES_MAX`], brackets nested at most 24 deep, at most [`PROBLEMS_MAX`] problems reported.
//! Numbers are finite: `NaN`, `inf` and `1e999` are refused wherever they stand. Extensions `implicit_some` and
//! `unwrap_variant_newtypes` are on; others are refused, because they change what a document means.

mod failure;
mod lex;
mod problem;
mod spanned;
mod tree;

pub use problem::{Problem, closest, place, proposal, render};
pub use spanned::{Lenient, Spanned, UniqueMap};

use failure::Consequence;
use serde::de::DeserializeOwned;
use std::ops::Range;
use tree::Tree;

/// The longest document, in bytes: some hundred times the largest that a person would write.
pub const BYTES_MAX: usize = 1 << 20;
/// The most problems reported at once.
pub const PROBLEMS_MAX: usize = 50;

/// What could be read of a document that has problems.
#[derive(Debug)]
pub struct Parsed<T> {
    /// The document without what has a problem; `None` if that leaves nothing to make sense of.
    pub value: Option<T>,
    /// What is wrong with it, in the order of the text.
    pub problems: Vec<Problem>,
    damaged: Vec<Range<usize>>,
}

impl<T> Parsed<T> {
    /// Whether something was left out right around there, so that a further complaint might be a mere consequence.
    #[must_use]
    pub fn is_damaged(&self, span: &Range<usize>) -> bool {
        self.damaged.iter().any(|d| d.start < span.end.max(span.start + 1) && span.start < d.end)
    }
}

/// Reads a document.
///
/// # Errors
/// All its problems, in the order of the text.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Vec<Problem>> {
    let parsed = parse_partly(text);
    match parsed.value {
        Some(value) if parsed.problems.is_empty() => Ok(value),
        _ => Err(parsed.problems),
    }
}

/// Reads as much of a document as makes sense, so that its meaning can be checked in the same pass.
#[must_use]
pub fn parse_partly<T: DeserializeOwned>(text: &str) -> Parsed<T> {
    let refused = |problem: Problem| Parsed { value: None, problems: vec![problem], damaged: Vec::new() };
    if text.len() > BYTES_MAX {
        let message = format!("the document is {} bytes long, at most {BYTES_MAX} are read", text.len());
        return refused(Problem::at(0..1, message));
    }
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    match Tree::read(text, start) {
        Ok(tree) => Reader::new(text, start, &tree).read(),
        Err(problem) => refused(problem),
    }
}

/// Bytes of a file as text.
///
/// # Errors
/// The text with what is no UTF-8 replaced, and the place of the first such byte in it.
pub fn text_of(bytes: &[u8]) -> Result<&str, (String, Problem)> {
    std::str::from_utf8(bytes).map_err(|e| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let span = e.valid_up_to()..(e.valid_up_to() + '\u{fffd}'.len_utf8()).min(text.len());
        (text, Problem::at(span, "this is not UTF-8 text").help("save the file with the encoding UTF-8"))
    })
}

/// One document while it is read again and again.
struct Reader<'a> {
    text: &'a str,
    tree: &'a Tree,
    /// The text with what has a problem blanked out.
    blanked: String,
    problems: Vec<Problem>,
    damaged: Vec<Range<usize>>,
    /// Brackets and the keys that were blanked out in them, or were meant by what was.
    gone: Vec<(usize, String)>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, start: usize, tree: &'a Tree) -> Self {
        let (problems, damaged, gone) = (Vec::new(), Vec::new(), Vec::new());
        let mut reader = Self { text, tree, blanked: text.to_owned(), problems, damaged, gone };
        reader.blank(0..start);
        if let Some(attribute) = tree.attribute.clone() {
            reader.check_attribute(attribute.clone());
            reader.blank(attribute);
        }
        for problem in &tree.problems {
            reader.leave_out(problem.span.start, None, None);
            reader.problems.push(problem.clone());
        }
        reader
    }

    fn read<T: DeserializeOwned>(mut self) -> Parsed<T> {
        loop {
            let (value, failures) = spanned::read::<T>(&self.blanked);
            let mut again = false;
            for failure in &failures {
                again |= self.take(failure);
            }
            if !again || self.problems.len() >= PROBLEMS_MAX {
                // a document that cannot be read is never without a reason, even if each reason is a consequence of another
                if value.is_none() && self.problems.is_empty() {
                    let reasons = failures.iter().map(|f| failure::explain(f, self.text, self.tree).0);
                    self.problems.extend(reasons);
                }
                self.problems.sort_by_key(|p| (p.span.start, p.span.end));
                self.problems.dedup();
                self.problems.truncate(PROBLEMS_MAX);
                return Parsed { value, problems: self.problems, damaged: self.damaged };
            }
        }
    }

    /// Notes a failure; says whether there is anything left out that was not before.
    fn take(&mut self, failure: &spanned::Failure) -> bool {
        let (problem, consequence) = failure::explain(failure, self.text, self.tree);
        let entry = failure.lenient.as_ref();
        let start = problem.span.start;
        match consequence {
            Consequence::None => {
                self.problems.push(problem);
                self.leave_out(start, None, entry)
            }
            Consequence::Meant(meant) => {
                self.problems.push(problem);
                self.leave_out(start, Some(meant), entry)
            }
            Consequence::Missing(node, key) => {
                if !self.gone.iter().any(|(n, k)| *n == node && k == key) {
                    self.problems.push(problem);
                }
                self.damaged.push(self.tree.whole(node));
                self.leave_out(self.tree.node(node).span.start, None, entry)
            }
        }
    }

    /// Blanks out the smallest thing around a byte that can be; says whether it was still there. An entry that may fail alone
    /// stays where it is, so that its name stays known: only what is inside it is blanked out.
    fn leave_out(&mut self, around: usize, meant: Option<String>, entry: Option<&Range<usize>>) -> bool {
        let Some((node, item)) = self.tree.removable(around) else { return false };
        // a key too many in the document's own bracket harms nobody else; one that was meant to be another may
        let whole = !self.tree.is_top(node) || meant.is_some();
        let whole = whole && self.tree.is_struct(node);
        self.damaged.push(if whole { self.tree.whole(node) } else { item.span.clone() });
        if entry.is_some_and(|entry| item.span.start <= entry.start) {
            return false;
        }
        let key = item.key.clone().map(|key| self.text[key].to_owned());
        self.gone.extend(key.into_iter().chain(meant).map(|k| (node, k)));
        self.blank(item.span.clone())
    }

    fn blank(&mut self, span: Range<usize>) -> bool {
        let there = !self.blanked[span.clone()].trim().is_empty();
        self.blanked.replace_range(span.clone(), &" ".repeat(span.len()));
        there
    }

    fn check_attribute(&mut self, span: Range<usize>) {
        let mut at = span.start;
        while let Ok(Some(token)) = lex::token(self.text, at) {
            if token.span.start >= span.end {
                return;
            }
            at = token.span.end;
            let word = &self.text[token.span.clone()];
            let known = ["enable", "implicit_some", "unwrap_variant_newtypes"];
            if matches!(token.kind, lex::Kind::Word | lex::Kind::Text | lex::Kind::Number) && !known.contains(&word) {
                let help =
                    "only `#![enable(implicit_some, unwrap_variant_newtypes)]` may stand here, and both are on anyway";
                self.problems
                    .push(Problem::at(token.span, format!("`{word}` would change what the file means")).help(help));
            }
        }
    }
}

#[cfg(test)]
mod tests;
