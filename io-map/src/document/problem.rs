//! What is wrong with a document, where, and what would be right.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::ops::Range;

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The bytes of the document to underline.
    pub span: Range<usize>,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What would be right, if that can be said.
    pub help: Option<String>,
}

impl Problem {
    /// A problem without a proposal.
    pub fn at(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None }
    }

    /// The same problem with a proposal.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Line and column of its place, both from 1; columns count characters.
    #[must_use]
    pub fn place(&self, text: &str) -> (usize, usize) {
        place(text, self.span.start)
    }
}

/// Line and column of a byte of `text`, both from 1; columns count characters.
#[must_use]
pub fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line = before.rfind('\n').map_or(0, |i| i + 1);
    (1 + before.matches('\n').count(), 1 + before[line..].chars().count())
}

/// All problems as text, in the order of their places: `file:line:column`, the line with the place underlined, the proposal.
#[must_use]
pub fn render(file: &str, text: &str, problems: &[Problem]) -> String {
    let mut sorted: Vec<&Problem> = problems.iter().collect();
    sorted.sort_by_key(|p| (p.span.start, p.span.end));
    // the last line needs an end for a caret to stand on
    let text = if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
    let shown: Vec<String> = sorted.iter().map(|p| one(file, &text, p)).collect();
    shown.join("\n\n")
}

fn one(file: &str, text: &str, problem: &Problem) -> String {
    let start = text.floor_char_boundary(problem.span.start.min(text.len() - 1));
    let end = text.ceil_char_boundary(problem.span.end.clamp(start, text.len()));
    // more than the first line says no more
    let line_end = text[start..].find(['\n', '\r']).map_or(text.len(), |i| start + i);
    let span = start..end.min(line_end);
    let snippet = Snippet::source(text).path(file).annotation(AnnotationKind::Primary.span(span));
    let group = Group::with_title(Level::ERROR.primary_title(&problem.message)).element(snippet);
    let group = match &problem.help {
        Some(help) => group.element(Level::HELP.message(help)),
        None => group,
    };
    Renderer::plain().render(&[group])
}

/// The name among `among` that was probably meant by `name`; `None` if nothing is near.
pub fn closest<'a>(name: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = among.into_iter().filter_map(|other| {
        let longer = name.chars().count().max(other.chars().count());
        let distance = edits(name, other)?;
        (distance <= 1 + longer / 4 && distance < longer).then_some((distance, other))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, other)| other)
}

/// A proposal for a name that is not known: the closest one, or all of them if they are few.
#[must_use]
pub fn proposal(name: &str, known: &[&str]) -> Option<String> {
    /// More names than this help nobody.
    const LISTED_MAX: usize = 24;
    if let Some(meant) = closest(name, known.iter().copied()) {
        return Some(format!("did you mean `{meant}`?"));
    }
    match known {
        [] => None,
        [only] => Some(format!("the only choice is `{only}`")),
        _ if known.len() > LISTED_MAX => None,
        _ => Some(format!("the choices are `{}`", known.join("`, `"))),
    }
}

/// Letters to change, insert, leave out or swap with their neighbour; letter case is half free. `None` for very long names.
fn edits(a: &str, b: &str) -> Option<usize> {
    /// Nobody's name is longer, and the work is the product of both lengths.
    const LENGTH_MAX: usize = 80;
    let a: Vec<char> = a.chars().flat_map(char::to_lowercase).take(LENGTH_MAX + 1).collect();
    let b: Vec<char> = b.chars().flat_map(char::to_lowercase).take(LENGTH_MAX + 1).collect();
    if a.len() > LENGTH_MAX || b.len() > LENGTH_MAX {
        return None;
    }
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        rows[i][0] = i;
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    Some(rows[a.len()][b.len()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_typo_finds_the_name_that_was_meant() {
        let known = ["stale_after_ms", "poll_ms", "unit", "address", "p", "q"];
        for (typo, meant) in [
            ("stale_afer_ms", Some("stale_after_ms")),
            ("pol_ms", Some("poll_ms")),
            ("Unit", Some("unit")),
            ("nuit", Some("unit")),
            ("adress", Some("address")),
            ("colour", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(closest(typo, known), meant, "{typo}");
        }
    }

    #[test]
    fn a_problem_is_shown_with_place_line_caret_and_help() {
        let text = "(\r\n  pol_ms: 3,\r\n)";
        let problems = [Problem::at(5..11, "unknown key `pol_ms`").help("did you mean `poll_ms`?")];
        let shown = render("site.ron", text, &problems);
        let expected = "error: unknown key `pol_ms`\n --> site.ron:2:3\n  |\n2 |   pol_ms: 3,\n  |   ^^^^^^\n  |\n  = help: did you mean `poll_ms`?";
        assert_eq!(shown, expected);
    }

    #[test]
    fn problems_are_shown_in_the_order_of_their_places() {
        let shown = render("f", "ab\ncd", &[Problem::at(3..4, "second"), Problem::at(0..1, "first")]);
        assert!(shown.find("first") < shown.find("second"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_problem_in_any_text_can_be_shown(text in any::<String>(), a in 0usize..60, len in 0usize..60, message in any::<String>()) {
            let shown = render("f", &text, &[Problem::at(a..a + len, message)]);
            prop_assert!(shown.contains("--> f:"), "{}", shown);
        }

        #[test]
        fn places_count_lines_and_characters(lines in proptest::collection::vec("[a-zé]{0,5}", 1..5), pick in any::<prop::sample::Index>()) {
            let line = pick.index(lines.len());
            let offset: usize = lines[..line].iter().map(|l| l.len() + 1).sum::<usize>() + lines[line].len();
            prop_assert_eq!(place(&lines.join("\n"), offset), (line + 1, lines[line].chars().count() + 1));
        }
    }
}
