//! Groups: outputs that share one total. Limits fold up from the members, the total is split down, in the same scan.
//!
//! Invariants: the total's safe value is the sum of its members'; every share lies within its member's limits; the shares sum to the total, because the total was resolved
//! within the members' folded limits. The split is in proportion to each member's room; a member of a larger group may
//! still jump when its limit widens (slews of members come with the first rule that splits over several).

use super::output::Slot;

/// A total and its members, as indices of slots. Groups are kept children first, so that folding sees finished limits.
#[derive(Clone, Debug)]
pub struct Group {
    /// The slot that programs demand.
    pub total: usize,
    /// The slots that it is split over.
    pub members: Vec<usize>,
}

impl Group {
    /// While the site is wired: the total's safe value is the sum of its members', to the last bit.
    ///
    /// # Panics
    /// If the one it was given is another.
    pub(super) fn agree(&self, slots: &mut [Slot]) {
        let safe = self.members.iter().fold(0.0, |a, m| a + slots[*m].rule().safe);
        slots[self.total].lead(safe);
    }

    /// Before resolving: what the members allow together limits the total.
    pub(super) fn fold(&self, slots: &mut [Slot]) {
        let bounds = self.members.iter().map(|m| slots[*m].bounds());
        let (low, high) = bounds.fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
        slots[self.total].fold_members(low, high);
    }

    /// After the total was resolved: share it in proportion to each member's room in that direction.
    pub(super) fn split(&self, slots: &mut [Slot]) {
        let total = slots[self.total].applied().total;
        let safe = slots[self.total].rule().safe;
        // a remainder of safe values would be off by what rounding left over, and the plant would never be safe
        let at_safe = total.to_bits() == safe.to_bits();
        let room = |slots: &[Slot], m: usize| {
            let (low, high) = slots[m].bounds();
            if total < safe { low - slots[m].rule().safe } else { high - slots[m].rule().safe }
        };
        let sum = self.members.iter().fold(0.0, |a, m| a + room(slots, *m));
        let mut left = total;
        for (i, m) in self.members.iter().enumerate() {
            // the last member takes what rounding left over; a share is measured from its member's safe value
            let own = slots[*m].rule().safe;
            let share = if at_safe {
                own
            } else if i + 1 == self.members.len() {
                left
            } else if sum.abs() > 0.0 {
                own + (total - safe) * (room(slots, *m) / sum)
            } else {
                own
            };
            slots[*m].assign_share(share);
            left -= share;
        }
    }
}

#[cfg(test)]
mod tests;
