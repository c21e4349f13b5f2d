//! Which writables and constants go out in one request.

use super::spec::Register;
use super::writable::WritableSpec;

/// One value in a write request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Part<'a> {
    /// Whose it is: an index of a writable.
    pub(super) writable: usize,
    /// Where and how.
    pub(super) register: &'a Register,
    /// For a constant: what.
    pub(super) constant: Option<f64>,
}

/// The requests of a profile, each in the order of its addresses.
pub(super) fn groups(writables: &[WritableSpec]) -> Vec<Vec<Part<'_>>> {
    let mut groups: Vec<Vec<Part<'_>>> = Vec::new();
    for (index, writable) in writables.iter().enumerate() {
        let own = Part { writable: index, register: &writable.register, constant: None };
        let constants = writable.with.iter();
        let parts = constants.map(|c| Part { writable: index, register: &c.register, constant: Some(c.value) });
        let parts = parts.chain([own]);
        let group = groups.iter_mut().find(|g| {
            writable.together.is_some() && g.iter().any(|p| writables[p.writable].together == writable.together)
        });
        match group {
            Some(group) => group.extend(parts),
            None => groups.push(parts.collect()),
        }
    }
    for group in &mut groups {
        group.sort_by_key(|p| p.register.at);
    }
    groups
}
