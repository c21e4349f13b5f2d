//! Each kind of bad input is a sentence with its place: the table is `refusals.txt`.

mod test_site;

use test_site::{GOOD, said};

/// An edit, and all that is expected to be said about the result.
struct Case<'a> {
    from: &'a str,
    to: &'a str,
    expected: Vec<&'a str>,
}

fn cases() -> Vec<Case<'static>> {
    let mut cases: Vec<Case<'static>> = Vec::new();
    for line in include_str!("refusals.txt").lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        match (line.strip_prefix("    "), cases.last_mut()) {
            (Some(expected), Some(case)) => case.expected.push(expected),
            _ => {
                let (from, to) = line.split_once(" =>").expect("an edit has an arrow");
                cases.push(Case { from, to: to.strip_prefix(' ').unwrap_or(to), expected: Vec::new() });
            }
        }
    }
    cases
}

#[test]
fn each_kind_of_bad_input_is_a_sentence_with_its_place() {
    let cases = cases();
    assert!(cases.len() > 100, "the table is read");
    let mut wrong = String::new();
    for Case { from, to, expected } in cases {
        assert!(GOOD.contains(from), "the test site has no {from}");
        assert!(!expected.is_empty(), "{from} => {to}: a case expects something");
        let said = said(&GOOD.replacen(from, to, 1));
        if said != expected {
            wrong += &format!("{from} => {to}\n    {}\n", said.join("\n    "));
        }
    }
    assert!(wrong.is_empty(), "these say something else:\n{wrong}");
}
