//! Values that know where they stand, entries that may fail alone, maps that keep their order.
//!
//! ron gives no places to what it deserialises, but a borrowed [`RawValue`] is a slice of the text, so its address says where
//! it stands. The text being read, and what failed so far, are kept per thread while [`super::parse`] runs.

use super::lex;
use ron::extensions::Extensions;
use ron::value::RawValue;
use ron::{Options, error::Position};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, MapAccess, Visitor};
use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::Range;

/// A value and the bytes of the document it stands on.
///
/// Only [`super::parse`] knows places; read in any other way, the span is `0..0`. It cannot be the document itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its bytes in the document, without the white space and the comments around it.
    pub span: Range<usize>,
}

/// An entry that may fail without taking the document with it.
///
/// A document that is read without a problem holds only `Some`; `None` is seen in [`super::parse_partly`] alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lenient<T>(
    /// The entry, or `None` if it has a problem.
    pub Option<T>,
);

/// A map from names that keeps the order of the document and refuses a name given twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UniqueMap<V>(
    /// The entries in the order of the document.
    pub Vec<(Spanned<String>, V)>,
);

impl<V> Default for UniqueMap<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> UniqueMap<V> {
    /// The entry of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&V> {
        self.0.iter().find(|(n, _)| n.value == name).map(|(_, v)| v)
    }

    /// All names, in the order of the document.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(n, _)| n.value.as_str())
    }

    /// All entries, in the order of the document.
    pub fn iter(&self) -> impl Iterator<Item = (&Spanned<String>, &V)> {
        self.0.iter().map(|(n, v)| (n, v))
    }
}

/// What ron could not read, and where.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) code: ron::Error,
    pub(super) span: Range<usize>,
    /// The entry without which the document goes on; its outermost one.
    pub(super) lenient: Option<Range<usize>>,
}

struct Reading {
    base: usize,
    len: usize,
    failures: Vec<Failure>,
}

thread_local!(static READING: RefCell<Option<Reading>> = const { RefCell::new(None) });

/// Puts the outer reading back, however the inner one ends.
struct Restore(Option<Reading>);

impl Drop for Restore {
    fn drop(&mut self) {
        READING.replace(self.0.take());
    }
}

/// Reads `text` once, with all places and failures.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> (Option<T>, Vec<Failure>) {
    let reading = Reading { base: text.as_ptr().addr(), len: text.len(), failures: Vec::new() };
    let _restore = Restore(READING.replace(Some(reading)));
    let value = slice(text).ok();
    let failures = READING.with_borrow_mut(|r| r.as_mut().map(|r| std::mem::take(&mut r.failures)));
    (value, failures.unwrap_or_default())
}

/// A failure that has been noted already.
struct Noted;

/// Reads a part of the text; what fails is noted with its place.
fn slice<'de, T: Deserialize<'de>>(part: &'de str) -> Result<T, Noted> {
    let options =
        Options::default().with_default_extension(Extensions::IMPLICIT_SOME | Extensions::UNWRAP_VARIANT_NEWTYPES);
    options.from_str(part).map_err(|e| {
        // a part inside this one may have failed, and what comes up here is its echo
        if !matches!(&e.code, ron::Error::Message(m) if m == ECHO) {
            let start = span_of(part).start;
            let span = start + offset(part, e.span.start)..start + offset(part, e.span.end);
            note(Failure { code: e.code, span, lenient: None });
        }
        Noted
    })
}

/// The message with which a noted failure travels up through ron.
const ECHO: &str = "noted";

fn noted() -> usize {
    READING.with_borrow(|r| r.as_ref().map_or(0, |r| r.failures.len()))
}

fn note(failure: Failure) {
    READING.with_borrow_mut(|r| {
        if let Some(r) = r {
            r.failures.push(failure);
        }
    });
}

/// Where a part of the text stands in it; `0..0` if it is no part of it.
fn span_of(part: &str) -> Range<usize> {
    READING.with_borrow(|r| {
        let start = r.as_ref().and_then(|r| {
            let start = part.as_ptr().addr().checked_sub(r.base)?;
            (start + part.len() <= r.len).then_some(start)
        });
        start.map_or(0..0, |start| start..start + part.len())
    })
}

/// The byte that ron means by a line and a column.
fn offset(text: &str, at: Position) -> usize {
    let line: usize = text.split_inclusive('\n').take(at.line.saturating_sub(1)).map(str::len).sum();
    let chars = text[line..].char_indices().map(|(i, _)| i);
    chars.chain([text.len() - line]).nth(at.col.saturating_sub(1)).map_or(text.len(), |i| line + i)
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let part = lex::trimmed(<&'de RawValue>::deserialize(d)?.get_ron());
        let value = slice(part).map_err(|Noted| D::Error::custom(ECHO))?;
        Ok(Self { value, span: span_of(part) })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let part = lex::trimmed(<&'de RawValue>::deserialize(d)?.get_ron());
        let before = noted();
        let value = slice(part).ok();
        if value.is_none() {
            let span = span_of(part);
            READING.with_borrow_mut(|r| {
                r.iter_mut().flat_map(|r| &mut r.failures[before..]).for_each(|f| f.lenient = Some(span.clone()));
            });
        }
        Ok(Self(value))
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for UniqueMap<V> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Entries<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = UniqueMap<V>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map from names, in braces")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UniqueMap<V>, A::Error> {
                let mut all: Vec<(Spanned<String>, V)> = Vec::new();
                while let Some(name) = map.next_key::<Spanned<String>>()? {
                    if all.iter().any(|(n, _)| n.value == name.value) {
                        let code = ron::Error::Message(format!("`{}` is given twice", name.value));
                        note(Failure { code, span: name.span, lenient: None });
                        return Err(A::Error::custom(ECHO));
                    }
                    all.push((name, map.next_value()?));
                }
                Ok(UniqueMap(all))
            }
        }

        d.deserialize_map(Entries(PhantomData))
    }
}
