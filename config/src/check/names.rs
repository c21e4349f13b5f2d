//! Names: what may be one, and that nobody has the same.

use crate::report::Problems;
use flyball_io_map::document::Spanned;

/// Longest name, in characters: they become columns, topics and register lists.
const LENGTH_MAX: usize = 48;

/// Names that belong to the site itself: `site.arm`, `system.realtime` and their kin.
pub(crate) const RESERVED: [&str; 2] = ["site", "system"];

/// A name without a dot: of a site, bus, device or program.
pub(crate) fn simple(problems: &mut Problems, what: &str, name: &Spanned<String>) {
    if !is_word(&name.value) {
        let help = format!("1 to {LENGTH_MAX} letters, digits, `_` and `-`");
        problems.say_help(&name.span, format!("`{}` cannot be the name of a {what}", name.value), help);
    } else if RESERVED.contains(&name.value.as_str()) && what == "device" {
        let message = format!("`{}` is a name of the controller itself", name.value);
        problems.say_help(&name.span, message, "give the device another name");
    }
}

/// A name with a dot, of a command or of a group's total: `group.name`.
pub(crate) fn dotted(problems: &mut Problems, what: &str, name: &Spanned<String>, devices: &[&str]) -> bool {
    let Some((group, own)) = name.value.split_once('.').filter(|(group, own)| is_word(group) && is_word(own)) else {
        let help =
            format!("two words of 1 to {LENGTH_MAX} letters, digits, `_` and `-` with a dot between, like `ess.p`");
        problems.say_help(&name.span, format!("`{}` cannot be the name of a {what}", name.value), help);
        return false;
    };
    if devices.contains(&group) || RESERVED.contains(&group) {
        let owner = if devices.contains(&group) { "the device" } else { "the controller itself:" };
        let message = format!("`{}` looks like a name of {owner} `{group}`", name.value);
        problems.say_help(&name.span, message, format!("choose another word before `.{own}`"));
        return false;
    }
    true
}

fn is_word(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    (1..=LENGTH_MAX).contains(&name.len()) && name.chars().all(fits)
}
