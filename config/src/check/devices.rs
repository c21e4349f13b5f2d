//! Devices: their profiles, where they are reached, how often they are asked, what they do without us.

use super::numbers::within;
use super::points::ONLINE;
use super::profiles::Library;
use super::{damaged_or, names};
use crate::file::{BusFile, DeviceFile};
use crate::report::Problems;
use flyball_io_map::document::{Lenient, Spanned, UniqueMap};
use flyball_io_map::profile::{KeptBy, Profile, StepValue, Verified, Watchdog};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;

/// A device as far as it can be checked alone.
pub(super) struct Draft {
    pub(super) name: Spanned<String>,
    pub(super) profile: Arc<Profile>,
    pub(super) address: SocketAddr,
    pub(super) unit: u8,
    pub(super) poll_ms: u32,
    pub(super) answer_ms: u32,
    pub(super) watchdog_ms: Option<u32>,
    pub(super) poll_span: Range<usize>,
    pub(super) watchdog_span: Range<usize>,
}

/// All devices in the order of the site; `None` where one cannot be made sense of.
pub(super) fn check(
    problems: &mut Problems,
    devices: &UniqueMap<Lenient<DeviceFile>>,
    buses: &UniqueMap<Lenient<BusFile>>,
    written: &[&str],
    period_ms: u32,
    library: &mut Library<'_>,
) -> Vec<Option<Draft>> {
    let mut drafts: Vec<Option<Draft>> = Vec::new();
    for (name, device) in devices.iter() {
        names::simple(problems, "device", name);
        let Some(device) = damaged_or(device) else {
            problems.lose(&name.value);
            drafts.push(None);
            continue;
        };
        let bus = &device.bus;
        if !buses.names().any(|b| b == bus.value) {
            let known: Vec<&str> = buses.names().collect();
            problems.unknown(&bus.span, format!("no bus is called `{}`", bus.value), &bus.value, &known);
        }
        let draft = one(problems, name, device, period_ms, library);
        if let Some(draft) = &draft {
            same_place(problems, device, draft, &drafts);
            let is_written = written.contains(&name.value.as_str());
            consent(problems, name, device, &draft.profile, is_written);
        }
        if draft.is_none() {
            problems.lose(&name.value);
        }
        drafts.push(draft);
    }
    drafts
}

fn one(
    problems: &mut Problems,
    name: &Spanned<String>,
    device: &DeviceFile,
    period_ms: u32,
    library: &mut Library<'_>,
) -> Option<Draft> {
    let profile = library.get(problems, &device.profile);
    let port = profile.as_ref().map_or(502, |p| p.link.port);
    let address = address(problems, &device.address, port);
    let poll_ms = within(problems, "poll_ms", &device.poll_ms, 1..=600_000);
    if poll_ms < period_ms && device.poll_ms.value > 0 {
        let message =
            format!("polled every {poll_ms} ms, but a scan takes the newest reading only every {period_ms} ms");
        problems.say_help(&device.poll_ms.span, message, format!("{period_ms} ms or more"));
    }
    if matches!(device.unit.value, 248..=254) {
        let message = format!("unit id {} is reserved", device.unit.value);
        problems.say_help(&device.unit.span, message, "0 to 247, or 255");
    }
    let profile = profile?;
    if profile.point(ONLINE).or(profile.writable(ONLINE)).is_some() {
        let message = format!("the profile calls something `{ONLINE}`, which every device has of its own");
        problems.say(&device.profile.span, message);
    }
    let timeout_ms = profile.link.timeout_ms;
    let answer_ms = device.answer_ms.as_ref().map_or(timeout_ms, |a| within(problems, "answer_ms", a, 1..=timeout_ms));
    let watchdog_ms = watchdog(problems, device, &profile);
    Some(Draft {
        name: name.clone(),
        profile,
        address: address?,
        unit: device.unit.value,
        poll_ms,
        answer_ms,
        watchdog_ms,
        poll_span: device.poll_ms.span.clone(),
        watchdog_span: device.watchdog_ms.as_ref().map_or(name.span.clone(), |w| w.span.clone()),
    })
}

fn address(problems: &mut Problems, given: &Spanned<String>, port: u16) -> Option<SocketAddr> {
    let with_port = given.value.parse::<SocketAddr>().ok().filter(|a| a.port() != 0);
    let parsed = with_port.or_else(|| Some(SocketAddr::new(given.value.parse::<IpAddr>().ok()?, port)));
    let parsed = parsed.filter(|a| !a.ip().is_unspecified() && !a.ip().is_multicast());
    if parsed.is_none() {
        let message = format!("`{}` is not the address of a device", given.value);
        problems.say_help(&given.span, message, "an IP address with or without a port, like \"192.168.1.50:502\"");
    }
    parsed
}

fn same_place(problems: &mut Problems, device: &DeviceFile, draft: &Draft, before: &[Option<Draft>]) {
    let same = |d: &&Draft| (d.address, d.unit) == (draft.address, draft.unit);
    if let Some(other) = before.iter().flatten().find(same) {
        let message = format!("unit {} at {} is the device `{}` already", draft.unit, draft.address, other.name.value);
        problems.say_help(&device.unit.span, message, "two devices at one address have different unit ids");
    }
}

/// The device-side watchdog's time-out; `None` if it has none.
fn watchdog(problems: &mut Problems, device: &DeviceFile, profile: &Profile) -> Option<u32> {
    match (&profile.watchdog, &device.watchdog_ms) {
        (Watchdog::Device { timeout_ms, .. }, Some(given)) => {
            let chosen = within(problems, "watchdog_ms", given, timeout_ms.0..=timeout_ms.1);
            if let Some(made_ms) = counted_ms(profile, chosen).filter(|made| *made != chosen) {
                let message = format!("the device would make {made_ms} ms of a watchdog time of {chosen} ms");
                problems.say_help(&given.span, message, "choose what it can count");
            }
            Some(chosen)
        }
        (Watchdog::Device { default_ms, .. }, None) => Some(*default_ms),
        (Watchdog::NotNeeded | Watchdog::Missing { .. }, Some(given)) => {
            let message = format!("`{}` has no watchdog of its own whose time could be chosen", device.profile.value);
            problems.say_help(&given.span, message, "leave `watchdog_ms` out");
            None
        }
        (Watchdog::NotNeeded | Watchdog::Missing { .. }, None) => None,
    }
}

/// What the device makes of a watchdog time, which it may count in coarser steps; `None` if that shows only on the device.
fn counted_ms(profile: &Profile, chosen_ms: u32) -> Option<u32> {
    let step = profile.connect.iter().find(|s| s.value == StepValue::WatchdogSeconds && s.register.factor.is_none())?;
    let codec = &step.register.codec;
    let words = codec.encode(f64::from(chosen_ms) / 1_000.0).ok()?;
    let made_ms = codec.decode(words.as_slice()).ok()? * 1_000.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturating by definition of `as`")]
    let made_ms = made_ms.round() as u32;
    Some(made_ms)
}

/// What a device that is written to must be known for, or accepted without.
fn consent(problems: &mut Problems, name: &Spanned<String>, device: &DeviceFile, profile: &Profile, is_written: bool) {
    let missing = match &profile.watchdog {
        Watchdog::Missing { reason } => Some(reason),
        Watchdog::NotNeeded | Watchdog::Device { .. } => None,
    };
    let accepted = device.accepts_no_watchdog.as_ref();
    match (missing, accepted) {
        (Some(reason), None) if is_written => {
            let message = format!(
                "`{}` has outputs but no watchdog: without us it goes on for ever with what was written last",
                name.value
            );
            let help = format!("{reason}; `accepts_no_watchdog: true` says that the site is safe all the same");
            problems.say_help(&name.span, message, help);
        }
        (Some(_), Some(accepted)) if is_written && !accepted.value => {
            let message = format!("`{}` has outputs but no watchdog, and that is not accepted", name.value);
            problems.say_help(&accepted.span, message, "accept it, or list none of its outputs");
        }
        (None, Some(accepted)) if accepted.value => {
            let message =
                format!("`{}` does not need this: nothing is written to it without its own watchdog", name.value);
            problems.say_help(&accepted.span, message, "leave `accepts_no_watchdog` out");
        }
        _ => {}
    }
    let accepted = device.accepts_unverified_writes.as_ref().is_some_and(|a| a.value);
    if is_written && profile.verified == Verified::None && !accepted {
        let message = format!("`{}` has outputs, but its profile was never proven against anything", name.value);
        let help = "prove it first; `accepts_unverified_writes: true` writes all the same";
        problems.say_help(&name.span, message, help);
    }
}

/// Whether what keeps a watchdog alive comes in time: `round_ms` is the longest that a request waits on its endpoint.
pub(super) fn keeps_alive(problems: &mut Problems, draft: &Draft, listed: &[usize], round_ms: u32) {
    let (Watchdog::Device { kept_by, .. }, Some(watchdog_ms)) = (&draft.profile.watchdog, draft.watchdog_ms) else {
        return;
    };
    if listed.is_empty() {
        return;
    }
    let name = &draft.name.value;
    let every_ms = match kept_by {
        KeptBy::AnyRequest => draft.poll_ms,
        KeptBy::Heartbeat => draft.profile.heartbeat.as_ref().map_or(u32::MAX, |h| h.every_ms),
        KeptBy::Writable(writable) => {
            let spec = &draft.profile.writables[*writable];
            if !listed.contains(writable) {
                if problems.is_lost(&format!("{name}.{}", spec.name)) {
                    return;
                }
                let message = format!(
                    "the watchdog of `{name}` is kept alive by writing `{name}.{}`, which is no output here",
                    spec.name
                );
                problems.say_help(&draft.name.span, message, format!("list `{name}.{}` under `outputs`", spec.name));
                return;
            }
            spec.policy.refresh_ms.unwrap_or(u32::MAX)
        }
    };
    let needed_ms = every_ms.saturating_add(round_ms);
    if needed_ms >= watchdog_ms && !problems.senseless {
        let message = format!(
            "the watchdog of `{name}` expires after {watchdog_ms} ms, but is kept alive only every {every_ms} ms"
        );
        let help = format!(
            "with {round_ms} ms until a request's turn that is up to {needed_ms} ms: choose a longer `watchdog_ms`"
        );
        problems.say_help(&draft.watchdog_span, message, help);
    }
}
