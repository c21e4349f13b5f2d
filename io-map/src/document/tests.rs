//! Documents with one or several problems, and what is said about them.

use super::*;
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only that it can be read matters")]
struct Farm {
    name: Spanned<String>,
    herd: UniqueMap<Lenient<Animal>>,
    #[serde(default)]
    jobs: Vec<Lenient<Spanned<Job>>>,
    weights_kg: Option<Spanned<(f64, f64)>>,
    mood: Option<Mood>,
    barn: Option<Barn>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only that it can be read matters")]
struct Animal {
    kind: Spanned<String>,
    legs: u8,
    age_years: Option<f64>,
    tags: Option<Vec<Spanned<String>>>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only that it can be read matters")]
struct Barn {
    doors: u8,
    open: bool,
}

#[derive(Deserialize, Debug)]
enum Mood {
    Calm,
    Restless,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only that it can be read matters")]
enum Job {
    Milk(Milk),
    Shear { whom: Spanned<String>, length_mm: f64 },
    Rest,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only that it can be read matters")]
struct Milk {
    whom: Spanned<String>,
    litres: f64,
}

const GOOD: &str = r#"#![enable(implicit_some)]
// a farm; with é and a bracket in a comment (
Farm(
    name: "Hill",
    herd: {
        "Berta": (kind: "cow", legs: 4, age_years: 7.5, tags: ["a", "b"]),
        "Emil": (kind: "sheep", legs: 0x4),
    },
    jobs: [
        Milk(whom: "Berta", litres: 12),
        Shear(whom: "Emil", length_mm: 3e1),
        Rest,
    ],
    weights_kg: (-1, 900.5),
    mood: Calm,
    barn: (doors: 2, open: true),
)
"#;

/// `line:column message | help` of every problem.
fn said(text: &str) -> Vec<String> {
    let problems = parse::<Farm>(text).expect_err("a document with a problem");
    let one = |p: Problem| {
        assert!(text.get(p.span.clone()).is_some(), "{p:?} lies inside the text");
        let (line, column) = p.place(text);
        format!("{line}:{column} {}{}", p.message, p.help.map_or(String::new(), |h| format!(" | {h}")))
    };
    problems.into_iter().map(one).collect()
}

#[test]
fn a_good_document_is_read_with_the_place_of_each_value() {
    let farm: Farm = parse(GOOD).unwrap();
    assert_eq!(&GOOD[farm.name.span], "\"Hill\"");
    let (name, berta) = &farm.herd.0[0];
    assert_eq!(&GOOD[name.span.clone()], "\"Berta\"");
    let tags = berta.0.as_ref().unwrap().tags.as_ref().unwrap();
    assert_eq!(&GOOD[tags[1].span.clone()], "\"b\"");
    let Some(Spanned { value: Job::Milk(milk), span }) = &farm.jobs[0].0 else { panic!("a milk job") };
    assert_eq!(&GOOD[span.clone()], "Milk(whom: \"Berta\", litres: 12)");
    assert_eq!(&GOOD[milk.whom.span.clone()], "\"Berta\"");
    assert_eq!(&GOOD[farm.weights_kg.unwrap().span], "(-1, 900.5)");
}

#[test]
fn byte_order_marks_and_carriage_returns_are_no_problem() {
    let text = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
    let farm: Farm = parse(&text).unwrap();
    assert_eq!(&text[farm.name.span], "\"Hill\"");
}

#[test]
fn each_problem_is_a_sentence_with_its_place() {
    for (from, to, expected) in [
        ("legs: 4", "lges: 4", "6:32 unknown key `lges` | did you mean `legs`?"),
        ("doors: 2", "colour: 2, doors: 2", "16:12 unknown key `colour` | the choices are `doors`, `open`"),
        ("legs: 4", "legs: 4, legs: 4", "6:41 `legs` is given twice | it was first given at 6:32: keep one of them"),
        ("\"Emil\":", "\"Berta\":", "7:9 `Berta` is given twice | it was first given at 6:9: keep one of them"),
        ("\"Emil\":", "\"B\\x65rta\":", "7:9 `Berta` is given twice"),
        ("legs: 4, ", "", "6:9 `legs` is missing from `Berta`"),
        (", litres: 12", "", "10:9 `litres` is missing from `Milk`"),
        (", length_mm: 3e1", "", "11:9 `length_mm` is missing from `Shear`"),
        ("name: \"Hill\",", "", "3:1 `name` is missing from `Farm`"),
        ("legs: 4", "legs:   \"four\"", "6:40 expected a whole number, found `\"four\"`"),
        ("legs: 4", "legs: 400", "6:38 `400` is out of the range allowed here"),
        ("legs: 4", "legs: -4", "6:38 `-4` is out of the range allowed here"),
        ("litres: 12", "litres: NaN", "10:37 `NaN` is not a finite number"),
        ("litres: 12", "litres: 1e999", "10:37 `1e999` is not a finite number"),
        ("litres: 12", "litres: -inf", "10:37 `-inf` is not a finite number"),
        ("litres: 12", "litres:", "10:36 expected a value, found `)`"),
        ("mood: Calm", "mood: Clam", "15:11 `Clam` is none of the choices here | did you mean `Calm`?"),
        ("Rest", "Nap", "12:9 `Nap` is none of the choices here | the choices are `Milk`, `Shear`, `Rest`"),
        ("kind: \"cow\"", "kind: cow", "6:25 expected a text in quotes, found `cow`"),
        ("open: true", "open: yes", "16:28 expected `true` or `false`, found `yes`"),
        ("(-1, 900.5)", "(-1)", "14:20 expected a tuple of size 2, found 1"),
        ("(-1, 900.5)", "(-1, 2, 3)", "14:25 expected `)`, found `3`"),
        ("legs: 4, age", "legs: 4 age", "6:40 a comma is missing before this | entries are separated by commas"),
        ("[\"a\", \"b\"]", "[\"a\" \"b\"]", "6:68 a comma is missing before `\"b\"`"),
        ("Farm(", "Fram(", "3:1 expected `Farm` or nothing before the bracket, found `Fram`"),
        ("barn: (doors: 2, open: true)", "barn: 5", "16:11 expected values in `(` and `)`, found `5`"),
        ("barn: (doors: 2, open: true)", "barn: {\"doors\": 2}", "16:11 expected values in `(` and `)`, found `{`"),
        ("true),\n)", "true),\n) 5", "17:3 expected nothing more, found `5`"),
        ("name: \"Hill\"", "name: \"Hill\0\"", ""),
        ("name: ", "name: \0", "4:11 unexpected character '\\0'"),
        (
            "implicit_some",
            "unwrap_newtypes",
            "1:11 `unwrap_newtypes` would change what the file means | only `#![enable(implicit_some, unwrap_variant_newtypes)]` may stand here, and both are on anyway",
        ),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let text = GOOD.replacen(from, to, 1);
        if expected.is_empty() {
            assert!(parse::<Farm>(&text).is_ok(), "{to}");
        } else {
            assert_eq!(said(&text), [expected], "{to}");
        }
    }
}

#[test]
fn all_problems_of_a_document_are_said_in_one_pass() {
    let text = GOOD
        .replace("kind: \"cow\", legs: 4", "knid: \"cow\", legs: 4, lges: 4")
        .replace("age_years: 7.5", "age_years: \"old\"")
        .replace("litres: 12", "liters: 12")
        .replace("length_mm: 3e1", "length_mm: true")
        .replace("mood: Calm", "mood: Clam, colour: 3")
        .replace("doors: 2", "doors: 1000");
    let said = said(&text);
    let places: Vec<&str> = said.iter().filter_map(|s| s.split_once(' ')).map(|(place, _)| place).collect();
    assert_eq!(places, ["6:19", "6:41", "6:61", "10:29", "11:40", "15:11", "15:17", "16:19"], "{said:#?}");
}

#[test]
fn what_is_left_of_a_document_with_problems_can_be_used() {
    let text = GOOD.replace("legs: 4, ", "").replace("litres", "liters").replace("doors: 2", "doors: 2, windows: 3");
    let parsed = parse_partly::<Farm>(&text);
    assert_eq!(parsed.problems.len(), 3);
    let farm = parsed.value.as_ref().unwrap();
    assert_eq!(farm.herd.names().collect::<Vec<_>>(), ["Berta", "Emil"], "the name of a damaged entry stays known");
    assert!(farm.herd.get("Berta").unwrap().0.is_none());
    assert!(farm.jobs[0].0.is_none() && farm.jobs[1].0.is_some());
    assert_eq!(farm.barn.as_ref().unwrap().doors, 2);
    let at = |needle: &str| text.find(needle).map(|i| i..i + 1).unwrap();
    assert!(parsed.is_damaged(&at("liters")) && !parsed.is_damaged(&at("Shear")) && parsed.is_damaged(&at("windows")));
}

#[test]
fn a_document_cut_off_anywhere_is_a_problem_inside_it_or_whole() {
    for end in (0..GOOD.len()).filter(|i| GOOD.is_char_boundary(*i)) {
        let text = &GOOD[..end];
        if let Err(problems) = parse::<Farm>(text) {
            assert!(!problems.is_empty());
            assert!(!render("farm.ron", text, &problems).is_empty());
            for p in problems {
                assert!(p.span.start < end || end == 0, "{p:?} at {end}");
                assert!(text.get(p.span.clone()).is_some(), "{p:?} at {end}");
            }
        } else {
            assert_eq!(text.trim(), GOOD.trim());
        }
    }
}

#[test]
fn documents_without_anything_in_them_say_so() {
    assert_eq!(said(""), ["1:1 expected values in `(` and `)`, found the end of the file"]);
    assert_eq!(said("// nothing\n"), ["1:10 expected values in `(` and `)`, found the end of the file"]);
    assert_eq!(said(&"(".repeat(10_000)), ["1:25 brackets are nested deeper than 24 levels"]);
    assert_eq!(said("(\"\0\"").len(), 1);
}

#[test]
fn a_document_too_long_to_be_one_is_refused_unread() {
    let text = " ".repeat(BYTES_MAX + 1);
    assert_eq!(
        said(&text),
        [format!("1:1 the document is {} bytes long, at most {BYTES_MAX} are read", BYTES_MAX + 1)]
    );
}

#[test]
fn bytes_that_are_no_text_are_said_with_their_place() {
    assert_eq!(text_of(b"(a: 1)"), Ok("(a: 1)"));
    let (text, problem) = text_of(b"(a:\n\xff)").unwrap_err();
    assert_eq!(problem.place(&text), (2, 1));
    assert!(text_of(b"\xc3").is_err());
}

#[test]
fn no_more_problems_are_said_than_anybody_reads() {
    let many: Vec<String> = (0..200).map(|i| format!("key{i}: 1")).collect();
    let text = GOOD.replace("doors: 2", &format!("doors: 2, {}", many.join(", ")));
    assert_eq!(said(&text).len(), PROBLEMS_MAX);
}

/// Every token of the document in turn left out, doubled, or replaced.
#[test]
fn no_change_of_any_token_is_a_panic_or_a_problem_outside() {
    let mut at = 0;
    while let Ok(Some(token)) = lex::token(GOOD, at) {
        at = token.span.end;
        let (before, this, after) = (&GOOD[..token.span.start], &GOOD[token.span.clone()], &GOOD[at..]);
        for change in [
            "",
            "x",
            "\"\"",
            "0",
            "-1",
            "1e400",
            "4294967296",
            ",",
            ":",
            "(",
            ")",
            "]",
            "()",
            "{}",
            "None",
            "Some(1)",
            "'",
            "/*",
            &format!("{this} {this}"),
        ] {
            let text = format!("{before}{change}{after}");
            if let Err(problems) = parse::<Farm>(&text) {
                assert!(!problems.is_empty(), "{text}");
                assert!(problems.iter().all(|p| text.get(p.span.clone()).is_some()), "{text}\n{problems:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn no_text_is_a_panic_or_a_problem_outside(text in any::<String>()) {
        if let Err(problems) = parse::<Farm>(&text) {
            prop_assert!(!problems.is_empty());
            prop_assert!(problems.iter().all(|p| text.get(p.span.clone()).is_some()));
        }
    }

    #[test]
    fn no_text_of_words_and_brackets_is_a_panic_or_a_problem_outside(words in proptest::collection::vec(prop::sample::select(vec![
        "Farm", "(", ")", "[", "]", "{", "}", ",", ":", "name", "herd", "jobs", "\"a\"", "Milk", "Some", "None", "1", "-", "r#", "#![", "..", "'a'", "b\"", "é", "\0", "/*", "*/", "//", "\n",
    ]), 0..30)) {
        let text = words.join(" ");
        if let Err(problems) = parse::<Farm>(&text) {
            prop_assert!(!problems.is_empty());
            prop_assert!(problems.iter().all(|p| text.get(p.span.clone()).is_some()));
            prop_assert!(!render("f", &text, &problems).is_empty());
        }
    }
}
