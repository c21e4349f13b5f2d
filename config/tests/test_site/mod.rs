//! A good site on profiles of its own, and what is said about others like it.
#![allow(dead_code, reason = "not every test file needs all of it")]

use flyball_config::{Report, Site};

/// A site with every kind of entry.
pub(crate) const GOOD: &str = include_str!("../site/good.ron");

/// The profiles beside the site.
pub(crate) fn beside(path: &str) -> Result<String, String> {
    let text = match path {
        "meter.ron" => include_str!("../site/meter.ron"),
        "pcs.ron" => include_str!("../site/pcs.ron"),
        "panel.ron" => include_str!("../site/panel.ron"),
        "relay.ron" => include_str!("../site/relay.ron"),
        "broken.ron" => include_str!("../site/broken.ron"),
        _ => return Err("no such file".to_owned()),
    };
    Ok(text.to_owned())
}

/// Checks a site of these profiles.
pub(crate) fn check(text: &str) -> Result<Site, Report> {
    Site::check("test.ron", text, &beside)
}

/// Everything that is wrong with a site, as `line:column message | help`; all places lie inside their file.
pub(crate) fn said(text: &str) -> Vec<String> {
    let Err(report) = check(text) else { return Vec::new() };
    inside(&report);
    let mut said = Vec::new();
    for faulty in report.files() {
        let whose = if faulty.file == "test.ron" { "" } else { "(profile) " };
        for problem in &faulty.problems {
            let (line, column) = problem.place(&faulty.text);
            let help = problem.help.as_ref().map_or(String::new(), |h| format!(" | {h}"));
            said.push(format!("{whose}{line}:{column} {}{help}", problem.message));
        }
    }
    said
}

/// A refusal always has a reason, each reason a place inside its file, and all of it can be shown.
pub(crate) fn inside(report: &Report) {
    assert!(report.count() > 0, "a refusal without a reason");
    for faulty in report.files() {
        for problem in &faulty.problems {
            assert!(faulty.text.get(problem.span.clone()).is_some(), "{problem:?}");
            assert!(problem.span.start < faulty.text.len() || faulty.text.trim().is_empty(), "{problem:?}");
            assert!(!problem.message.is_empty());
        }
    }
    assert!(report.to_string().contains("-->"));
}
