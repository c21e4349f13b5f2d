//! Every shipped site, and the test site, damaged in every place: never a panic, and a refusal always says where.

mod test_site;

use flyball_config::Site;
use proptest::prelude::*;
use std::ops::Range;
use std::path::Path;
use test_site::{GOOD, beside, inside};

/// Every site with its name.
fn sites() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shipped = std::fs::read_dir(folder.join("sites"))
        .expect("the folder of sites")
        .map(|entry| entry.expect("a file in it").path());
    let all = shipped.filter(|p| p.extension().is_some_and(|e| e == "ron")).chain([folder.join("tests/site/good.ron")]);
    let all: Vec<_> =
        all.map(|p| (p.display().to_string(), std::fs::read_to_string(&p).expect("a site is text"))).collect();
    assert!(all.len() >= 2, "the demo and the test site");
    all
}

/// Whether the site is accepted; if not, the refusal has its places.
fn accepted(name: &str, text: &str) -> bool {
    Site::check(name, text, &beside).map_err(|report| inside(&report)).is_ok()
}

/// Keys with their whole entries, and numbers; outside of comments and strings.
struct Parts {
    entries: Vec<(Range<usize>, Range<usize>)>,
    numbers: Vec<Range<usize>>,
}

/// Finds the parts by nothing but characters: the reader under test is not asked.
fn parts(text: &str) -> Parts {
    let bytes = text.as_bytes();
    let mut parts = Parts { entries: Vec::new(), numbers: Vec::new() };
    // per open bracket: the entries that are not ended yet
    let mut open: Vec<Option<usize>> = vec![None];
    let (mut at, mut word) = (0, 0..0);
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => at += text[at..].find('\n').unwrap_or(bytes.len() - at),
            b'/' if bytes[at..].starts_with(b"/*") => at += text[at..].find("*/").expect("a comment ends") + 2,
            b'"' => {
                at += 2 + text[at + 1..].find('"').expect("a text ends");
                word = start..at;
            }
            b':' => {
                parts.entries.push((word.clone(), word.start..word.end));
                *open.last_mut().expect("brackets match") = Some(parts.entries.len() - 1);
                at += 1;
            }
            b',' | b')' | b']' | b'}' => {
                if let Some(entry) = open.last_mut().and_then(Option::take) {
                    parts.entries[entry].1.end = at;
                }
                if bytes[at] != b',' {
                    open.pop();
                }
                at += 1;
            }
            b'(' | b'[' | b'{' => {
                open.push(None);
                at += 1;
            }
            c if c.is_ascii_alphanumeric() || c == b'_' || c == b'-' => {
                while bytes.get(at).is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.')) {
                    at += 1;
                }
                word = start..at;
                if c.is_ascii_digit() || c == b'-' {
                    parts.numbers.push(word.clone());
                }
            }
            _ => at += 1,
        }
    }
    parts
}

fn replaced(text: &str, span: &Range<usize>, by: &str) -> String {
    format!("{}{by}{}", &text[..span.start], &text[span.end..])
}

#[test]
fn every_shipped_site_is_accepted() {
    for (name, text) in sites() {
        if let Err(report) = Site::check(&name, &text, &beside) {
            panic!("{report}");
        }
    }
}

#[test]
fn a_site_cut_off_anywhere_is_refused_with_a_place() {
    for (name, text) in sites() {
        for end in (0..text.trim_end().len()).filter(|i| text.is_char_boundary(*i)) {
            assert!(!accepted(&name, &text[..end]), "{name} cut off at {end}");
        }
    }
}

#[test]
fn a_key_that_is_misspelt_or_given_twice_is_refused() {
    for (name, text) in sites() {
        for (key, entry) in parts(&text).entries {
            let said = &text[key.clone()];
            let misspelt = said.strip_suffix('"').map_or(format!("{said}_x"), |name| format!("{name}_x\""));
            let renamed = replaced(&text, &key, &misspelt);
            // a name of the site's own may be another one where nobody uses it
            assert!(said.starts_with('"') || !accepted(&name, &renamed), "{name}: `{said}` misspelt");
            let whole = &text[entry.clone()];
            let doubled = replaced(&text, &entry, &format!("{whole}, {whole}"));
            assert!(!accepted(&name, &doubled), "{name}: `{said}` twice");
        }
    }
}

#[test]
fn an_entry_that_is_left_out_is_no_panic() {
    for (name, text) in sites() {
        let mut refused = 0;
        for (_, entry) in parts(&text).entries {
            let end = entry.end + usize::from(text[entry.end..].starts_with(','));
            refused += usize::from(!accepted(&name, &replaced(&text, &(entry.start..end), "")));
        }
        assert!(refused > 20, "{name}: most entries are needed, {refused} were missed");
    }
}

#[test]
fn a_number_that_is_another_is_no_panic() {
    for (name, text) in sites() {
        for number in parts(&text).numbers {
            let ten_times = format!("{}0", &text[number.clone()]);
            for other in ["0", "-1", ten_times.as_str(), "4294967295"] {
                accepted(&name, &replaced(&text, &number, other));
            }
            for none in ["1e999", "NaN"] {
                assert!(!accepted(&name, &replaced(&text, &number, none)), "{name}: {none} at {number:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn no_edit_of_a_site_is_a_panic(at in any::<prop::sample::Index>(), len in 0usize..60, by in prop::sample::select(vec![
        "", " ", "(", ")", "[", "]", "{", "}", ",", ":", "\"", "\"x\"", "0", "-1", "1e999", "None", "Some(1)", "x: 1,", "/*", "//", "\0", "é", "()", "\n",
    ])) {
        let start = GOOD.floor_char_boundary(at.index(GOOD.len()));
        let end = GOOD.ceil_char_boundary((start + len).min(GOOD.len()));
        accepted("edited.ron", &replaced(GOOD, &(start..end), by));
    }
}
