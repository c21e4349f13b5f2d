//! Endpoints: the requests of all devices behind one address, and how long a round of them takes.

use super::devices::{Draft, keeps_alive};
use super::outputs::Listed;
use crate::report::Problems;
use crate::site::Endpoint;
use crate::timing::Load;
use flyball_io_map::modbus::Poll;
use flyball_io_map::modbus::plan::{Block, Item, Limits, plan};
use flyball_io_map::profile::{At, ReadBack};

/// The endpoints of a site and their rounds.
pub(super) struct Endpoints {
    /// In the order of their first devices.
    pub(super) all: Vec<Endpoint>,
    /// How busy each is.
    pub(super) loads: Vec<Load>,
    /// Per device of the site, the round of its endpoint, ms.
    pub(super) round_ms: Vec<u32>,
}

/// Groups the devices by address, and checks that each endpoint can keep up with its polls and watchdogs.
pub(super) fn check(problems: &mut Problems, devices: &[Option<Draft>], listed: &[Listed]) -> Endpoints {
    let mut all: Vec<Endpoint> = Vec::new();
    for (i, draft) in devices.iter().enumerate() {
        let Some(draft) = draft else { continue };
        match all.iter_mut().find(|e| e.address == draft.address) {
            Some(endpoint) => endpoint.devices.push(i),
            None => all.push(Endpoint { address: draft.address, devices: vec![i] }),
        }
    }
    let mut round_ms = vec![0; devices.len()];
    let mut loads = Vec::new();
    for endpoint in &all {
        let drafts: Vec<(usize, &Draft)> =
            endpoint.devices.iter().filter_map(|i| Some((*i, devices[*i].as_ref()?))).collect();
        let (mut requests, mut round) = (0, 0_u32);
        for (i, draft) in &drafts {
            let asked = reads(draft).saturating_add(writes(draft, &written(listed, *i)));
            requests += asked;
            let request_ms = draft.answer_ms.saturating_add(draft.profile.link.gap_min_ms);
            round = round.saturating_add(asked.saturating_mul(request_ms));
        }
        for (i, draft) in &drafts {
            round_ms[*i] = round;
            keeps_up(problems, draft, requests, round);
            keeps_alive(problems, draft, &written(listed, *i), round);
        }
        loads.push(Load { endpoint: endpoint.address.to_string(), requests, round_ms: round });
    }
    Endpoints { all, loads, round_ms }
}

fn written(listed: &[Listed], device: usize) -> Vec<usize> {
    listed.iter().filter(|l| l.device == device).map(|l| l.writable).collect()
}

fn keeps_up(problems: &mut Problems, draft: &Draft, requests: u32, round_ms: u32) {
    if round_ms > draft.poll_ms && !problems.senseless {
        let name = &draft.name.value;
        let message = format!(
            "`{name}` is polled every {} ms, but its endpoint needs {round_ms} ms for its {requests} requests",
            draft.poll_ms
        );
        let help = "poll less often, or say with `answer_ms` that its devices answer faster than their time-out";
        problems.say_help(&draft.poll_span, message, help);
    }
}

/// How many blocks a device is read in, those of scale factors that lie in no other included. SunSpec models stand for
/// regions: nothing is read across two of them.
fn reads(draft: &Draft) -> u32 {
    let link = &draft.profile.link;
    let limits = Limits {
        registers_max: link.read_max,
        gap_max: link.gap_max,
        aligned: link.aligned,
        forbidden: link.forbidden.clone(),
    };
    let item = |at: At, len, poll, sync| {
        let region = at.model().unwrap_or(0);
        Item { area: at.area(), at: at.offset(), len, poll, sync, region }
    };
    let points = draft.profile.points.iter();
    let items: Vec<Item> = points.map(|p| item(p.register.at, p.register.len(), p.poll, p.sync)).collect();
    // the profile's own check planned the same items
    let blocks = plan(&items, &limits).unwrap_or_default();
    let holds = |at: At| {
        let of_model = |b: &Block| b.members.first().is_some_and(|m| items[m.item].region == at.model().unwrap_or(0));
        let inside = |b: &Block| at.offset().checked_sub(b.at).is_some_and(|offset| offset < b.len);
        blocks.iter().any(|b| b.area == at.area() && of_model(b) && inside(b))
    };
    let written =
        draft.profile.writables.iter().map(|w| &w.register).chain(draft.profile.connect.iter().map(|s| &s.register));
    let registers = draft.profile.points.iter().map(|p| &p.register).chain(written);
    let mut factors: Vec<At> = registers.filter_map(|r| r.factor).filter(|at| !holds(*at)).collect();
    factors.sort_unstable();
    factors.dedup();
    let factors: Vec<Item> = factors.into_iter().map(|at| item(at, 1, Poll::Slow, None)).collect();
    let factors = plan(&factors, &limits).unwrap_or_default();
    u32::try_from(blocks.len() + factors.len()).unwrap_or(u32::MAX)
}

/// How many requests write all that is written: what goes together counts once, each read-back counts, and the heartbeat.
fn writes(draft: &Draft, written: &[usize]) -> u32 {
    let mut groups = Vec::new();
    let mut requests = u32::from(draft.profile.heartbeat.is_some());
    for writable in written {
        let spec = &draft.profile.writables[*writable];
        if spec.together.is_none() || !groups.contains(&spec.together) {
            requests += if matches!(spec.read_back, ReadBack::Within { .. }) { 2 } else { 1 };
            groups.push(spec.together);
        }
    }
    requests
}

/// How often a point of a device is read. Its `online`, the last, is stamped with every block.
pub(super) fn poll(draft: &Draft, point: usize) -> Poll {
    draft.profile.points.get(point).map_or(Poll::Fast, |p| p.poll)
}
