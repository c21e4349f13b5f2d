//! What ron says, as a sentence with its place.

use super::problem::{Problem, closest, proposal};
use super::spanned::Failure;
use super::tree::Tree;
use ron::Error;
use std::ops::Range;

/// What a problem leads to.
pub(super) enum Consequence {
    /// Nothing that would have to be kept quiet.
    None,
    /// The key that was meant may now be missing.
    Meant(String),
    /// A key is missing from a bracket: no news if it was left out because of another problem.
    Missing(usize, &'static str),
}

/// The problem to tell, and what it leads to.
pub(super) fn explain(failure: &Failure, text: &str, tree: &Tree) -> (Problem, Consequence) {
    let place = token_at(text, tree, &failure.span);
    let problem = |message: String| (Problem::at(place.clone(), message), Consequence::None);
    let unknown = |message: String, found: &str, expected: &[&str]| Problem {
        help: proposal(found, expected),
        ..Problem::at(place.clone(), message)
    };
    match &failure.code {
        Error::NoSuchStructField { expected, found, .. } => {
            let meant = closest(found, expected.iter().copied());
            let consequence = meant.map_or(Consequence::None, |m| Consequence::Meant(m.to_owned()));
            (unknown(format!("unknown key `{found}`"), found, expected), consequence)
        }
        Error::NoSuchEnumVariant { expected, found, .. } => {
            (unknown(format!("`{found}` is none of the choices here"), found, expected), Consequence::None)
        }
        Error::MissingStructField { field, .. } => missing(field, failure, text, tree),
        Error::ExpectedDifferentStructName { expected, found } => {
            problem(format!("expected `{expected}` or nothing before the bracket, found `{found}`"))
        }
        Error::Message(message) => problem(message.clone()),
        code => {
            let found = tree.token_from(failure.span.start).map(|_| &text[place.clone()]);
            problem(expectation(code, found))
        }
    }
}

fn missing(key: &'static str, failure: &Failure, text: &str, tree: &Tree) -> (Problem, Consequence) {
    // ron stands at the closing bracket
    let (node, _) = tree.around(failure.span.end);
    let bracket = tree.node(node);
    let held_by = tree.holder(node).and_then(|item| item.key.clone());
    let place = match (&bracket.name, &held_by) {
        (Some(name), _) => name.clone(),
        (None, Some(key)) => key.clone(),
        (None, None) => bracket.span.start..(bracket.span.start + 1).min(text.len()),
    };
    let whose = if text[place.clone()].starts_with(['(', '[', '{']) {
        "is missing here".to_owned()
    } else {
        format!("is missing from `{}`", text[place.clone()].trim_matches('"'))
    };
    (Problem::at(place, format!("`{key}` {whose}")), Consequence::Missing(node, key))
}

/// ron's expectation in the words of the site file's user.
fn expectation(code: &Error, found: Option<&str>) -> String {
    let found = found.map_or("the end of the file".to_owned(), |token| format!("`{token}`"));
    let wanted = match code {
        Error::Eof => "a value",
        Error::ExpectedArray => "a list in `[` and `]`",
        Error::ExpectedBoolean => "`true` or `false`",
        Error::ExpectedComma => return format!("a comma is missing before {found}"),
        Error::ExpectedFloat => "a number",
        Error::ExpectedInteger => "a whole number",
        Error::ExpectedMap => "a map in `{` and `}`",
        Error::ExpectedMapColon => "`:`",
        Error::ExpectedNamedStructLike(_) | Error::ExpectedStructLike => "values in `(` and `)`",
        Error::ExpectedStructLikeEnd | Error::ExpectedOptionEnd => "`)`",
        Error::ExpectedArrayEnd => "`]`",
        Error::ExpectedMapEnd => "`}`",
        Error::ExpectedString => "a text in quotes",
        Error::ExpectedIdentifier => "a name without quotes",
        Error::IntegerOutOfBounds => return format!("{found} is out of the range allowed here"),
        Error::ExpectedDifferentLength { expected, found } => return format!("expected {expected}, found {found}"),
        Error::InvalidValueForType { expected, .. } => expected,
        Error::TrailingCharacters => "nothing more",
        Error::UnexpectedChar(_) => "a value",
        Error::ExceededRecursionLimit => return "brackets are nested too deeply here".to_owned(),
        other => return format!("cannot be read: {}", lower(&other.to_string())),
    };
    format!("expected {wanted}, found {found}")
}

fn lower(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// ron gives the cursor before and after; what is meant is the token there, without the space before it. At the end of the
/// document it is the last one.
fn token_at(text: &str, tree: &Tree, span: &Range<usize>) -> Range<usize> {
    match (tree.token_from(span.start), tree.token_from(span.end)) {
        (Some(token), _) if token.start < span.end => {
            let said = text.get(token.start..span.end).unwrap_or_default();
            token.start..token.end.max(token.start + said.trim_end().len())
        }
        (_, Some(token)) => token,
        (_, None) => {
            let end = text.trim_end().len();
            text[..end].char_indices().next_back().map_or(0..0, |(start, _)| start..end)
        }
    }
}
