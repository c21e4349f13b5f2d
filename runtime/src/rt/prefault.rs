//! Touches the stack of the calling thread, so that no page of it is first touched, and faults, in a scan.

use nix::sys::resource::{UsageWho, getrusage};
use std::hint::black_box;

const PAGE_BYTES: usize = 4096;

/// A pass may meet a page the kernel has just unmapped to see whether it is used; a further pass then finds it in place.
const PASSES_MAX: u32 = 3;

/// What touching came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefault {
    /// How far down the stack was touched, bytes.
    pub(super) touched_bytes: usize,
    /// Page faults in the last pass; `None` if the kernel does not tell.
    pub(super) faults_left: Option<u64>,
}

/// Touches `bytes` of stack below the caller. The caller has that much, or the process ends with a stack overflow.
///
/// Safe code only: a recursion whose frames are a page each and cannot be optimised away.
pub(super) fn prefault_stack(bytes: usize) -> Prefault {
    let top = 0_u8;
    let top = std::ptr::from_ref(black_box(&top)).addr();
    let mut done = Prefault { touched_bytes: touch(top, bytes), faults_left: None };
    for _ in 0..PASSES_MAX {
        let before = faults();
        done.touched_bytes = touch(top, bytes);
        done.faults_left = faults().zip(before).map(|(after, before)| after.saturating_sub(before));
        if done.faults_left == Some(0) {
            break;
        }
    }
    done
}

/// Returns how far below `top` the deepest frame lies.
#[inline(never)]
fn touch(top: usize, bytes: usize) -> usize {
    let mut page = [0_u8; PAGE_BYTES];
    black_box(&mut page)[0] = 1;
    let depth = top.abs_diff(std::ptr::from_ref(&page).addr());
    let deepest = if depth < bytes { touch(top, bytes) } else { depth };
    black_box(&page); // the frame is still needed after the call, so the call cannot replace it
    deepest
}

/// Page faults of the calling thread so far.
fn faults() -> Option<u64> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).ok()?;
    u64::try_from(usage.minor_page_faults()).ok()?.checked_add(u64::try_from(usage.major_page_faults()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stack_is_touched_as_far_down_as_asked() {
        let wanted = 200 * 1024;
        let run = move || prefault_stack(wanted);
        let done = std::thread::Builder::new().stack_size(512 * 1024).spawn(run).unwrap().join().unwrap();
        assert!(done.touched_bytes >= wanted, "{done:?}");
        assert!(done.touched_bytes < wanted + 8 * PAGE_BYTES, "{done:?}");
        assert!(done.faults_left.is_some());
    }
}
