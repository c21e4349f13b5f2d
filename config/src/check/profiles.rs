//! Where profiles come from: the library, or a file beside the site file.

use crate::report::{Faulty, Problems};
use flyball_io_map::document::Spanned;
use flyball_io_map::profile::{self, Profile};
use std::sync::Arc;

/// Gives the text of a profile file beside the site file, by its path from there, or says why it cannot.
pub type Beside<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// Profiles that were asked for, each read once.
pub(super) struct Library<'a> {
    beside: Beside<'a>,
    read: Vec<(String, Option<Arc<Profile>>)>,
    faulty: Vec<Faulty>,
}

impl<'a> Library<'a> {
    pub(super) fn new(beside: Beside<'a>) -> Self {
        Self { beside, read: Vec::new(), faulty: Vec::new() }
    }

    /// The profile of that name, or `None` with a problem.
    pub(super) fn get(&mut self, problems: &mut Problems, name: &Spanned<String>) -> Option<Arc<Profile>> {
        if let Some((_, profile)) = self.read.iter().find(|(n, _)| *n == name.value) {
            if profile.is_none() {
                problems.say(&name.span, format!("the profile `{}` cannot be used", name.value));
            }
            return profile.clone();
        }
        let profile = self.text(problems, name).and_then(|text| self.load(problems, name, text));
        self.read.push((name.value.clone(), profile.clone()));
        profile
    }

    /// What is wrong with profiles.
    pub(super) fn into_faulty(self) -> Vec<Faulty> {
        self.faulty
    }

    fn text(&self, problems: &mut Problems, name: &Spanned<String>) -> Option<String> {
        if let Some(path) = name.value.strip_prefix("./") {
            // a site file may come from elsewhere: it reaches no file outside its own folder
            if path.is_empty() || path.contains('\\') || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
                let message = format!("`{}` is not a file beside the site file", name.value);
                problems.say_help(&name.span, message, "like \"./my-meter.ron\", in the site's folder or below");
                return None;
            }
            return match (self.beside)(path) {
                Ok(text) => Some(text),
                Err(why) => {
                    problems.say(&name.span, format!("`{}` cannot be read: {why}", name.value));
                    None
                }
            };
        }
        let found = profile::library().iter().find(|(n, _)| *n == name.value);
        if found.is_none() {
            let known: Vec<&str> = profile::library().iter().map(|(n, _)| *n).collect();
            let message = format!("no profile is called `{}`", name.value);
            problems.unknown(&name.span, message, &name.value, &known);
        }
        found.map(|(_, text)| (*text).to_owned())
    }

    fn load(&mut self, problems: &mut Problems, name: &Spanned<String>, text: String) -> Option<Arc<Profile>> {
        match profile::load(&text) {
            Ok(profile) => Some(Arc::new(profile)),
            Err(found) => {
                let count = found.len();
                let message =
                    format!("the profile `{}` has {count} problem{}", name.value, if count == 1 { "" } else { "s" });
                problems.say_help(&name.span, message, "they are listed behind those of the site");
                self.faulty.push(Faulty { file: name.value.clone(), text, problems: found });
                None
            }
        }
    }
}
