//! Write requests on one device: set-points, the connect sequence, the heartbeat.

use super::super::group::Part;
use super::super::spec::{Heartbeat, Register, Step, StepValue};
use super::super::writable::{Function, Policy, ReadBack, WritableKind};
use super::super::write::{PartValue, WriteGroup, WritePart};
use super::{BindError, Binding};
use crate::modbus::Area;

impl Binding<'_> {
    pub(super) fn group(&mut self, group: &[Part<'_>]) -> Result<WriteGroup, BindError> {
        let profile = self.profile;
        let mut writables: Vec<usize> = group.iter().map(|p| p.writable).collect();
        writables.sort_unstable();
        writables.dedup();
        let specs = || writables.iter().map(|w| &profile.writables[*w]);
        let policies = || specs().map(|w| w.policy);
        let policy = Policy {
            dead_band: 0.0,
            gap_min_ms: policies().map(|p| p.gap_min_ms).max().unwrap_or(0),
            refresh_ms: policies().filter_map(|p| p.refresh_ms).min(),
            flash_writes_per_day_max: policies().filter_map(|p| p.flash_writes_per_day_max).min(),
        };
        // one value that cannot be read back leaves the whole request unproven
        let read_back = specs().map(|w| within(&w.read_back)).collect::<Option<Vec<_>>>();
        let read_back_ms = read_back.and_then(|all| all.into_iter().map(|(ms, _)| ms).min());
        let pulse = specs().any(|w| matches!(w.kind, WritableKind::Pulse { .. }));
        let function = profile.writables[writables[0]].function;
        let mut parts = Vec::new();
        for part in group {
            let writable = &profile.writables[part.writable];
            let value = match (part.constant, &writable.kind) {
                (Some(constant), _) => PartValue::Constant(constant),
                (None, WritableKind::Real { range, .. }) => PartValue::Real(part.writable, *range),
                (None, WritableKind::Choice { values, .. }) => {
                    PartValue::Choice(part.writable, values.iter().map(|(_, code)| *code).collect())
                }
                (None, WritableKind::Pulse { code }) => PartValue::Constant(f64::from(*code)),
            };
            let tolerance =
                if part.constant.is_some() { 0.0 } else { within(&writable.read_back).map_or(0.0, |w| w.1) };
            parts.push((part.register, value, tolerance));
        }
        let bound = self.write_group(parts, function, read_back_ms)?;
        Ok(WriteGroup { writables: writables.into(), policy, pulse, ..bound })
    }

    /// A write request from its values, in the order of their addresses.
    fn write_group(
        &mut self,
        values: Vec<(&Register, PartValue, f64)>,
        function: Function,
        read_back_ms: Option<u32>,
    ) -> Result<WriteGroup, BindError> {
        let (mut first, mut end, mut area) = (u16::MAX, 0, Area::Holding);
        let mut placed = Vec::new();
        for (register, value, tolerance) in values {
            let (at, factor) = self.required(register)?;
            area = register.at.area();
            first = if at < first { at } else { first };
            let own_end = u32::from(at) + u32::from(register.len());
            end = if own_end > end { own_end } else { end };
            placed.push((at, WritePart { offset: 0, codec: register.codec.clone(), factor, value, tolerance }));
        }
        let parts = placed.into_iter().map(|(at, part)| WritePart { offset: at - first, ..part }).collect();
        let len = u16::try_from(end.saturating_sub(u32::from(first))).unwrap_or(u16::MAX);
        let policy = Policy { dead_band: 0.0, gap_min_ms: 0, refresh_ms: None, flash_writes_per_day_max: None };
        Ok(WriteGroup {
            area,
            at: first,
            len,
            function,
            parts,
            writables: [].into(),
            policy,
            pulse: false,
            read_back_ms,
        })
    }

    pub(super) fn step(&mut self, step: &Step, watchdog_ms: Option<u32>) -> Result<WriteGroup, BindError> {
        let value = match (step.value, watchdog_ms) {
            (StepValue::Value(value), _) => value,
            (StepValue::WatchdogSeconds, None) => return Err(BindError::NoWatchdog),
            (StepValue::WatchdogSeconds, Some(ms)) => {
                let chosen = f64::from(ms) / 1000.0;
                let codec = &step.register.codec;
                let counted = codec.encode(chosen).ok().and_then(|words| codec.decode(words.as_slice()).ok());
                // where a scale factor decides, the register's own read-back tells
                if let (None, Some(counted)) = (step.register.factor, counted)
                    && (counted - chosen).abs() > 1e-9
                {
                    return Err(BindError::WatchdogStep { ms, device_s: counted.to_string() });
                }
                chosen
            }
        };
        let (ms, tolerance) = within(&step.read_back).unzip();
        let part = (&step.register, PartValue::Constant(value), tolerance.unwrap_or(0.0));
        self.write_group(vec![part], step.function, ms)
    }

    pub(super) fn heartbeat(&mut self, heartbeat: &Heartbeat) -> Result<WriteGroup, BindError> {
        let (first, last) = heartbeat.counter;
        let value = PartValue::Real(0, (f64::from(first), f64::from(last)));
        self.write_group(vec![(&heartbeat.register, value, 0.0)], heartbeat.function, None)
    }
}

fn within(read_back: &ReadBack) -> Option<(u32, f64)> {
    match read_back {
        ReadBack::Within { ms, tolerance } => Some((*ms, *tolerance)),
        ReadBack::Never(_) => None,
    }
}
