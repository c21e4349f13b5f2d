//! Tokens of a RON document with their places.
//!
//! ron itself reports where its cursor stood, not what it was looking at, and gives up at the first error. These tokens are
//! what [`super::tree`] builds on to underline the right thing and to go on after an error. Strings and comments are
//! delimited exactly as ron does it; the values inside are ron's business.

use super::Problem;
use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `(`, `[` or `{`.
    Open(char),
    /// `)`, `]` or `}`.
    Close(char),
    /// `,`
    Comma,
    /// `:`
    Colon,
    /// An identifier.
    Word,
    /// What starts like a number.
    Number,
    /// A string, byte string or character in its quotes.
    Text,
    /// `#`, `!` and `=` of an attribute at the start.
    Sign,
}

/// A token and the bytes it stands on.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
}

fn is_space(c: char) -> bool {
    matches!(
        c,
        ' ' | '\t' | '\n' | '\r' | '\x0B' | '\x0C' | '\u{85}' | '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}'
    )
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// The next token at or after byte `from` (a character boundary), or `None` at the end.
pub(super) fn token(text: &str, from: usize) -> Result<Option<Token>, Problem> {
    let start = skip_space(text, from)?;
    let rest = &text[start..];
    let Some(first) = rest.chars().next() else { return Ok(None) };
    let (kind, len) = match first {
        '(' | '[' | '{' => (Kind::Open(first), 1),
        ')' | ']' | '}' => (Kind::Close(first), 1),
        ',' => (Kind::Comma, 1),
        ':' => (Kind::Colon, 1),
        '#' | '!' | '=' => (Kind::Sign, 1),
        '"' => (Kind::Text, quoted(rest, 0).ok_or_else(|| endless("string", start))?),
        '\'' => (Kind::Text, character(rest).ok_or_else(|| endless("character", start))?),
        '0'..='9' | '+' | '-' | '.' => (Kind::Number, number(rest)),
        _ if is_word(first) => word(rest, start)?,
        _ => {
            let span = start..start + first.len_utf8();
            return Err(Problem::at(span, format!("unexpected character {first:?}")));
        }
    };
    Ok(Some(Token { kind, span: start..start + len }))
}

/// A part of the text without the white space and comments around it. What is no sequence of tokens stays as it is.
pub(super) fn trimmed(part: &str) -> &str {
    let mut span: Option<Range<usize>> = None;
    let mut at = 0;
    while let Ok(next) = token(part, at) {
        let Some(next) = next else { return span.map_or("", |span| &part[span]) };
        at = next.span.end;
        span = Some(span.map_or(next.span.start, |s| s.start)..at);
    }
    part
}

/// The start of the next token: white space and comments skipped.
fn skip_space(text: &str, from: usize) -> Result<usize, Problem> {
    let mut at = from;
    loop {
        let rest = &text[at..];
        at += rest.len() - rest.trim_start_matches(is_space).len();
        let rest = &text[at..];
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            let len = block_comment(rest).ok_or_else(|| endless("comment", at))?;
            at += len;
        } else {
            return Ok(at);
        }
    }
}

/// Length of the block comment at the start of `rest`; they nest.
fn block_comment(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let (mut at, mut depth) = (0, 0usize);
    while let Some(pair) = bytes.get(at..at + 2) {
        match pair {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Length of the string whose opening quote stands at `quote`, the bytes before it included.
fn quoted(rest: &str, quote: usize) -> Option<usize> {
    let bytes = rest.as_bytes();
    let mut at = quote + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// Length of a character literal.
fn character(rest: &str) -> Option<usize> {
    let inside = rest.get(1..)?;
    let from = 1 + if inside.starts_with('\\') { 2 } else { inside.chars().next()?.len_utf8() };
    let close = rest.get(from..)?.find('\'')?;
    Some(from + close + 1)
}

fn number(rest: &str) -> usize {
    let hex = rest.trim_start_matches(['+', '-']).starts_with("0x");
    let mut before = ' ';
    for (at, c) in rest.char_indices() {
        let sign = matches!(c, '+' | '-') && (at == 0 || (!hex && matches!(before, 'e' | 'E')));
        if !(sign || is_word(c) || c == '.') {
            return at;
        }
        before = c;
    }
    rest.len()
}

/// An identifier, or one of the literals that begin like one (`r"…"`, `r#"…"#`, `b"…"`, `br"…"`, `b'…'`).
fn word(rest: &str, start: usize) -> Result<(Kind, usize), Problem> {
    let prefix = ["br", "b", "r"].into_iter().find(|p| {
        rest.strip_prefix(p).is_some_and(|r| {
            let raw = p.ends_with('r') && r.trim_start_matches('#').starts_with('"');
            raw || r.starts_with('"') || (*p == "b" && r.starts_with('\''))
        })
    });
    if let Some(prefix) = prefix {
        let after = &rest[prefix.len()..];
        let len = if prefix.ends_with('r') {
            let hashes = after.len() - after.trim_start_matches('#').len();
            let close = format!("\"{}", &after[..hashes]);
            after[hashes + 1..].find(&close).map(|i| prefix.len() + hashes + 1 + i + close.len())
        } else if after.starts_with('"') {
            quoted(rest, prefix.len())
        } else {
            character(after).map(|len| prefix.len() + len)
        };
        return len.map(|len| (Kind::Text, len)).ok_or_else(|| endless("string", start));
    }
    let raw = rest.starts_with("r#");
    let from = if raw { 2 } else { 0 };
    let tail = &rest[from..];
    let len = tail.find(|c| !(is_word(c) || raw && matches!(c, '.' | '+' | '-'))).unwrap_or(tail.len());
    Ok((Kind::Word, from + len))
}

fn endless(what: &str, start: usize) -> Problem {
    Problem::at(start..start + 1, format!("the {what} that starts here never ends"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens(text: &str) -> Result<Vec<(Kind, &str)>, Problem> {
        let (mut at, mut all) = (0, Vec::new());
        while let Some(t) = token(text, at)? {
            assert!(t.span.end > at, "a token has a length");
            at = t.span.end;
            all.push((t.kind, &text[t.span]));
        }
        Ok(all)
    }

    #[test]
    fn literals_keep_their_brackets_and_quotes_to_themselves() {
        let text = r##"A(b: "(\"]", c: r#"{""#, d: '}', /* ( /* [ */ */ e: b"\"", f: b'\'', g: -1.5e-3) // {"##;
        let texts: Vec<_> = tokens(text).unwrap().into_iter().map(|(_, t)| t).collect();
        let expected = [
            "A",
            "(",
            "b",
            ":",
            r#""(\"]""#,
            ",",
            "c",
            ":",
            r##"r#"{""#"##,
            ",",
            "d",
            ":",
            "'}'",
            ",",
            "e",
            ":",
            r#"b"\"""#,
            ",",
            "f",
            ":",
            r"b'\''",
            ",",
            "g",
            ":",
            "-1.5e-3",
            ")",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_part_is_trimmed_of_space_and_comments() {
        for (part, trimmed_part) in [
            (" /* a */ \"b\" // c\n ", "\"b\""),
            ("(1, /* 2 */ 3)", "(1, /* 2 */ 3)"),
            (" // nothing\n", ""),
            (" \"never ends ", " \"never ends "),
        ] {
            assert_eq!(trimmed(part), trimmed_part);
        }
    }

    #[test]
    fn what_never_ends_is_said_where_it_starts() {
        for text in ["\"abc", "r#\"abc\"", "/* /* */", "'a", "b\"", "'"] {
            assert_eq!(tokens(&format!(" {text}")).unwrap_err().span, 1..2, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_tokens_or_a_problem_inside_it(text in any::<String>()) {
            if let Err(p) = tokens(&text) {
                prop_assert!(text.get(p.span).is_some());
            }
        }

        #[test]
        fn any_text_of_the_usual_characters_is_tokens_or_a_problem(text in r##"[a-c"'\\/*#rbé()\[\]{}:,.0-9eE+ \n-]{0,40}"##) {
            if let Err(p) = tokens(&text) {
                prop_assert!(text.get(p.span).is_some());
            }
        }
    }
}
