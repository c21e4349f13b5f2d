//! What happens on connecting, and what the device does when we are gone.

use super::super::file::{KeptByFile, StepFile, WatchdogFile};
use super::super::spec::{Heartbeat, KeptBy, Life, Step, StepValue, Watchdog};
use super::super::writable::{Function, ReadBack};
use super::{Check, register::Typed};
use crate::document::Spanned;
use crate::modbus::{Encoding, Poll};

/// A step of the connect sequence that does not say otherwise is proven within this, ms.
const STEP_READ_BACK_MS: u32 = 2_000;

impl Check<'_> {
    pub(super) fn life(&mut self) -> Option<Life> {
        let file = self.file;
        let life = file.life.as_ref()?;
        let within_ms = self.within("the longest rest in ms", &life.within_ms, (1, 3_600_000));
        let index = self.find("point", &life.point.value, &life.point.span, &file.points)?;
        if let Some(point) = &file.points.0[index].1.0 {
            self.required("the sign of life", point.at.value, &life.point.span);
            if point.encoding.value.is_flag() {
                let help = "take a counter, or a value that always moves, such as a fine frequency";
                self.refuse(&life.point.span, "a flag is no sign of life", help);
            }
            let period = point.poll.period_ms(1);
            if !matches!(point.poll, Poll::Fast | Poll::Normal) || within_ms < 2 * period {
                let message = format!("`{}` is read every {period} ms at best", life.point.value);
                self.refuse(&life.point.span, message, "poll it `Fast`, at least twice within `within_ms`");
            }
            let plain = point.scale.is_none() && point.scale_factor.is_none() && point.raw_offset.is_none();
            let counter = matches!(point.encoding.value, Encoding::U16 | Encoding::U32) && plain;
            if let Some(counts_up) = life.counts_up.as_ref().filter(|c| c.value && !counter) {
                let message = format!("`{}` is no plain counter", life.point.value);
                self.refuse(
                    &counts_up.span,
                    message,
                    "a counter is `U16` or `U32` without a scale; or leave `counts_up` out",
                );
            }
        }
        Some(Life { point: index, within_ms, counts_up: life.counts_up.as_ref().is_some_and(|c| c.value) })
    }

    pub(super) fn heartbeat(&mut self) -> Option<Heartbeat> {
        let file = self.file.heartbeat.as_ref()?;
        let register = self.register(&Typed::plain(&file.at, &file.encoding));
        self.writable_place("the heartbeat", &register, &file.at.span);
        let (first, last) = file.counter.value;
        if first >= last {
            let message = format!("a counter from {first} to {last} does not move");
            self.refuse(&file.counter.span, message, "write the first number, then a higher last one");
        }
        if !matches!(file.encoding.value, Encoding::U16 | Encoding::U32) {
            self.refuse(&file.encoding.span, "a heartbeat is a whole number", "encoding: U16 or U32");
        }
        self.writable_number(&register, f64::from(last), "the last number", &file.counter.span);
        Some(Heartbeat {
            counter: file.counter.value,
            every_ms: self.within("the heartbeat's period in ms", &file.every_ms, (10, 3_600_000)),
            function: self.single(file.function.as_ref(), &register, &file.at),
            register,
            source: self.source(&file.source),
        })
    }

    /// The function for something that is written alone.
    fn single(
        &mut self,
        function: Option<&Spanned<Function>>,
        register: &super::super::spec::Register,
        at: &Spanned<super::super::at::At>,
    ) -> Function {
        let function = self.function(function);
        if function == Function::WriteSingle && register.len() > 1 {
            let message = format!("{} registers cannot be written one by one", register.len());
            self.refuse(&at.span, message, "function: WriteMultiple");
        }
        function
    }

    pub(super) fn watchdog(&mut self) -> Watchdog {
        let file = self.file;
        let writes = !file.writables.0.is_empty();
        let Some(watchdog) = &file.watchdog else {
            if writes {
                let help = "add `watchdog: Device(..)`, or `Missing(reason: ..)` if it has none of its own";
                self.refuse(&file.model.span, "what does this device do when it hears nothing from us?", help);
            }
            return Watchdog::NotNeeded;
        };
        if !writes {
            let help = "leave `watchdog` out of a profile without writables";
            self.refuse(&watchdog.span, "a watchdog over nothing", help);
        }
        match &watchdog.value {
            WatchdogFile::Missing { reason } => Watchdog::Missing { reason: self.source(reason) },
            WatchdogFile::Device { timeout_ms, default_ms, kept_by, effect, source } => {
                let (low, high) = timeout_ms.value;
                if low == 0 || low > high {
                    let message = format!("a time-out from {low} to {high} ms");
                    self.refuse(&timeout_ms.span, message, "the shortest, then the longest that may be chosen");
                }
                self.not_empty("the watchdog's effect", effect);
                Watchdog::Device {
                    timeout_ms: timeout_ms.value,
                    default_ms: self.within("the usual time-out in ms", default_ms, timeout_ms.value),
                    kept_by: self.kept_by(kept_by, low),
                    effect: effect.value.clone(),
                    source: self.source(source),
                }
            }
        }
    }

    /// What keeps the watchdog alive must come well before its shortest time-out.
    fn kept_by(&mut self, kept_by: &Spanned<KeptByFile>, timeout_ms: u32) -> KeptBy {
        let file = self.file;
        let (kept, period) = match &kept_by.value {
            KeptByFile::AnyRequest => return KeptBy::AnyRequest,
            KeptByFile::Heartbeat => (KeptBy::Heartbeat, file.heartbeat.as_ref().map(|h| h.every_ms.clone())),
            KeptByFile::Writable(name) => {
                let index = self.find("writable", name, &kept_by.span, &file.writables).unwrap_or(0);
                let Some(writable) = file.writables.0.get(index).and_then(|(_, w)| w.0.as_ref()) else {
                    return KeptBy::Writable(index);
                };
                (KeptBy::Writable(index), writable.policy.value.refresh_ms.clone())
            }
        };
        match period {
            None => {
                let help = "give the writable a `refresh_ms`, or the profile a `heartbeat`";
                self.refuse(&kept_by.span, "nothing keeps this watchdog alive", help);
            }
            Some(period) if period.value >= timeout_ms => {
                let message =
                    format!("written every {} ms, but the device gives up after {timeout_ms} ms", period.value);
                let help = format!("write at least twice within the time-out: every {} ms or less", timeout_ms / 2);
                self.refuse(&period.span, message, help);
            }
            Some(_) => {}
        }
        kept
    }

    pub(super) fn connect(&mut self) -> Vec<Step> {
        let file = self.file;
        let steps: Vec<&StepFile> = file.connect.iter().filter_map(|step| step.0.as_ref()).collect();
        let chooses = steps.iter().any(|s| s.value.value == StepValue::WatchdogSeconds);
        if let Some(watchdog) = &file.watchdog
            && let WatchdogFile::Device { timeout_ms, .. } = &watchdog.value
            && timeout_ms.value.0 < timeout_ms.value.1
            && !chooses
        {
            let help = "add a step to `connect` with `value: WatchdogSeconds`, or fix the time-out: (2000, 2000)";
            self.refuse(&timeout_ms.span, "the chosen time-out never reaches the device", help);
        }
        steps.into_iter().map(|step| self.step(step)).collect()
    }

    fn step(&mut self, file: &StepFile) -> Step {
        let register = self.register(&Typed {
            scale: file.scale.as_ref(),
            scale_factor: file.scale_factor.as_ref(),
            ..Typed::plain(&file.at, &file.encoding)
        });
        self.writable_place("this step", &register, &file.at.span);
        let values = match (file.value.value, self.file.watchdog.as_ref().map(|w| &w.value)) {
            (StepValue::Value(value), _) => vec![value],
            (StepValue::WatchdogSeconds, Some(WatchdogFile::Device { timeout_ms, .. })) => {
                [timeout_ms.value.0, timeout_ms.value.1].map(|ms| f64::from(ms) / 1000.0).to_vec()
            }
            (StepValue::WatchdogSeconds, _) => {
                let help = "add `watchdog: Device(..)`, or write a `Value(..)`";
                self.refuse(&file.value.span, "there is no time-out to choose", help);
                Vec::new()
            }
        };
        for value in values {
            self.writable_number(&register, value, "this step", &file.value.span);
        }
        let default = ReadBack::Within { ms: STEP_READ_BACK_MS, tolerance: 0.0 };
        Step {
            value: file.value.value,
            function: self.single(file.function.as_ref(), &register, &file.at),
            read_back: file.read_back.as_ref().map_or(default, |r| self.read_back(r, false)),
            register,
            source: self.source(&file.source),
        }
    }

    pub(super) fn limits(&mut self) -> Vec<usize> {
        let file = self.file;
        let mut limits = Vec::new();
        for name in &file.limits {
            let Some(index) = self.find("point", &name.value, &name.span, &file.points) else { continue };
            if limits.contains(&index) {
                self.refuse(&name.span, format!("`{}` is given twice", name.value), "leave one of them out");
            }
            if let Some(point) = &file.points.0[index].1.0 {
                self.required("this limit", point.at.value, &name.span);
            }
            limits.push(index);
        }
        limits
    }
}
