//! Points of the controller itself: what it could not have at start, and how its scans go.
//!
//! They are inputs like any other, stamped anew by the runtime for every scan, so that a recording has them too.

use flyball_io_map::image::point::Source;
use flyball_io_map::image::{PointDef, Unit, ValueKind};

/// A point of the controller that was not stamped for so long is not believed, ms: a stuck runtime shows.
const AGE_MAX_MS: u32 = 1_000;

/// The points that every site has, by name, kind and meaning, in the order of [`SystemPoints`].
const POINTS: [(&str, ValueKind, f64); 7] = [
    ("system.realtime", ValueKind::Flag, 1.0),
    ("system.memory_locked", ValueKind::Flag, 1.0),
    ("system.cpus_pinned", ValueKind::Flag, 1.0),
    ("system.stack_prefaulted", ValueKind::Flag, 1.0),
    ("system.realtime_kernel", ValueKind::Flag, 1.0),
    ("system.degraded", ValueKind::Flag, 1.0),
    ("system.slots_skipped", ValueKind::Real, f64::MAX),
];

/// Places of the controller's own points in the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemPoints {
    /// `system.realtime`: the scan thread has the priority that the site wants.
    pub realtime: usize,
    /// `system.memory_locked`: no page of the process can be swapped out.
    pub memory_locked: usize,
    /// `system.cpus_pinned`: the scan thread keeps to the CPUs that the site names; true if it names none.
    pub cpus_pinned: usize,
    /// `system.stack_prefaulted`: every page of the scan's stack was touched before the first scan.
    pub stack_prefaulted: usize,
    /// `system.realtime_kernel`: the kernel is a PREEMPT_RT one.
    pub realtime_kernel: usize,
    /// `system.degraded`: the overrun contract's first threshold was reached.
    pub degraded: usize,
    /// `system.slots_skipped`: slots of the grid without a scan since start.
    pub slots_skipped: usize,
}

impl SystemPoints {
    /// The points, to stand behind `first` others.
    pub(crate) fn new(first: usize) -> (Self, Vec<PointDef>) {
        let point = |name: String, kind, most| PointDef {
            name,
            kind,
            unit: Unit::None,
            source: Source::System,
            plausible: (0.0, most),
            age_max_ms: AGE_MAX_MS,
            frozen_after_ms: None,
            codes: Vec::new(),
        };
        let points = POINTS.iter().map(|(name, kind, most)| point((*name).to_owned(), *kind, *most)).collect();
        let [realtime, memory_locked, cpus_pinned, stack_prefaulted, realtime_kernel, degraded, slots_skipped] =
            std::array::from_fn(|i| first + i);
        (
            Self { realtime, memory_locked, cpus_pinned, stack_prefaulted, realtime_kernel, degraded, slots_skipped },
            points,
        )
    }
}
