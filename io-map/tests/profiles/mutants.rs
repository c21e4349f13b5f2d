//! Mutilated profiles: each key deleted, renamed and doubled, each number another. Never a panic; what is refused is
//! refused with a place in the text; what is accepted binds or says why not.

use flyball_io_map::document::{Problem, render};
use flyball_io_map::modbus::{Model, ModelTable};
use flyball_io_map::profile::{Settings, library, load};
use std::ops::Range;

/// A key of the profile, and its entry with the value.
struct Entry {
    key: Range<usize>,
    whole: Range<usize>,
}

/// What can be mutilated in a text.
#[derive(Default)]
struct Anatomy {
    entries: Vec<Entry>,
    numbers: Vec<Range<usize>>,
}

/// The text with comments and the insides of strings blanked out, so that brackets and commas are those of the document.
fn skeleton(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let mut i = 0;
    while i < bytes.len() {
        let end = match bytes[i] {
            b'"' => bytes[i + 1..].iter().position(|b| *b == b'"').map(|n| i + 1 + n),
            b'/' if bytes.get(i + 1) == Some(&b'/') => bytes[i..].iter().position(|b| *b == b'\n').map(|n| i + n),
            _ => None,
        };
        let Some(end) = end else {
            i += 1;
            continue;
        };
        let inside = if bytes[i] == b'"' { i + 1..end } else { i..end };
        bytes[inside].fill(b' ');
        i = end + 1;
    }
    bytes
}

/// From `at` to the comma or bracket that ends the value there.
fn end_of_value(skeleton: &[u8], at: usize) -> usize {
    let mut depth = 0;
    for (i, byte) in skeleton[at..].iter().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth == 0 => return at + i,
            b')' | b']' | b'}' => depth -= 1,
            b',' if depth == 0 => return at + i,
            _ => {}
        }
    }
    skeleton.len()
}

fn anatomy(text: &str) -> Anatomy {
    let skeleton = skeleton(text);
    let mut anatomy = Anatomy::default();
    let mut i = 0;
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'.';
    while i < skeleton.len() {
        let start = i;
        if skeleton[i] == b'"' {
            i += 1 + skeleton[i + 1..].iter().position(|b| *b == b'"').expect("strings end") + 1;
        } else if is_word(skeleton[i]) || (skeleton[i] == b'-' && is_word(skeleton[i + 1])) {
            i += 1;
            i += skeleton[i..].iter().position(|b| !is_word(*b)).unwrap_or(0);
        } else {
            i += 1;
            continue;
        }
        if skeleton.get(i) == Some(&b':') {
            anatomy.entries.push(Entry { key: start..i, whole: start..end_of_value(&skeleton, i + 1) });
        } else if skeleton[start].is_ascii_digit() || skeleton[start] == b'-' {
            anatomy.numbers.push(start..i);
        }
    }
    anatomy
}

/// A SunSpec device with every model that a profile could ask for.
fn any_table() -> ModelTable {
    let ids = [1, 701, 702, 704, 713, 715, 802];
    let models = ids.iter().zip(0u16..).map(|(id, i)| Model { id: *id, at: 40_002 + 200 * i, len: 200 });
    ModelTable { base: 40_000, models: models.collect() }
}

/// Loads a mutant; whether it was refused.
fn refused(name: &str, text: &str) -> bool {
    match load(text) {
        Ok(profile) => {
            let _ = profile.bind(Some(&any_table()), Settings::default());
            false
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a reason:\n{text}");
            for Problem { span, message, .. } in &problems {
                assert!(
                    span.start <= span.end && text.get(span.clone()).is_some(),
                    "{message}: {span:?} is not in the text"
                );
            }
            assert!(!render(name, text, &problems).is_empty());
            true
        }
    }
}

fn replaced(text: &str, span: &Range<usize>, with: &str) -> String {
    format!("{}{with}{}", &text[..span.start], &text[span.end..])
}

/// Keys that may be left out.
const OPTIONAL: [&str; 26] = [
    "identity",
    "sunspec",
    "life",
    "heartbeat",
    "connect",
    "limits",
    "port",
    "aligned",
    "word_order",
    "write",
    "forbidden",
    "scale",
    "scale_factor",
    "raw_offset",
    "sign",
    "not_implemented",
    "frozen_after_ms",
    "sync",
    "certainty",
    "with",
    "function",
    "refresh_ms",
    "dead_band",
    "together",
    "update_ms",
    "counts_up",
];

fn keys(every: usize) {
    for (name, text) in library() {
        for entry in anatomy(text).entries.iter().step_by(step(text, every)) {
            let key = &text[entry.key.clone()];
            let whole = &text[entry.whole.clone()];
            let is_name = key.starts_with('"');
            let deleted = replaced(text, &entry.whole, "");
            let must_have = !(is_name || OPTIONAL.contains(&key));
            assert!(refused(name, &deleted) || !must_have, "{name}: `{key}` is not missed at {}", entry.key.start);
            let doubled = replaced(text, &entry.whole, &format!("{whole}, {whole}"));
            assert!(refused(name, &doubled), "{name}: `{key}` may stand there twice at {}", entry.key.start);
            let renamed = if is_name { key.replacen('"', "\"x", 1) } else { format!("{key}x") };
            let renamed = refused(name, &replaced(text, &entry.key, &renamed));
            assert!(renamed || is_name, "{name}: `{key}x` is not noticed at {}", entry.key.start);
        }
    }
}

fn numbers(every: usize) {
    for (name, text) in library() {
        for number in anatomy(text).numbers.iter().step_by(step(text, every)) {
            let ten_times = format!("{}0", &text[number.clone()]);
            for other in ["0", "-1", &ten_times] {
                refused(name, &replaced(text, number, other));
            }
            let nan = replaced(text, number, "NaN");
            assert!(refused(name, &nan), "{name}: NaN for `{}` at {}", &text[number.clone()], number.start);
        }
    }
}

/// All mutants of a short profile, every so many-th of a long one.
fn step(text: &str, every: usize) -> usize {
    if text.len() < 4_000 { 1 } else { every }
}

#[test]
fn the_scanner_finds_what_there_is_to_mutilate() {
    let found = anatomy("(a: 1, // b: 2\n \"c:3\": (d: [-0x1F, 2.5], e: \"f: 4\"),)");
    let text = "(a: 1, // b: 2\n \"c:3\": (d: [-0x1F, 2.5], e: \"f: 4\"),)";
    let entries: Vec<&str> = found.entries.iter().map(|e| &text[e.whole.clone()]).collect();
    let numbers: Vec<&str> = found.numbers.iter().map(|n| &text[n.clone()]).collect();
    assert_eq!(entries, ["a: 1", "\"c:3\": (d: [-0x1F, 2.5], e: \"f: 4\")", "d: [-0x1F, 2.5]", "e: \"f: 4\""]);
    assert_eq!(numbers, ["1", "-0x1F", "2.5"]);
}

#[test]
fn a_deleted_renamed_or_doubled_key_is_never_overlooked() {
    keys(29);
}

#[test]
fn no_number_makes_it_panic_and_a_nan_is_never_accepted() {
    numbers(23);
}

#[test]
#[ignore = "some minutes: all of the thousands of mutants"]
fn no_mutant_at_all_is_overlooked() {
    keys(1);
    numbers(1);
}

#[test]
fn half_a_profile_is_refused() {
    for (name, text) in library() {
        let last = text.trim_end().len();
        for end in (0..last).step_by(397).filter(|end| text.is_char_boundary(*end)) {
            assert!(refused(name, &text[..end]), "{name} up to {end}");
        }
    }
}
