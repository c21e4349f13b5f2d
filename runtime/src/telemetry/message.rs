//! From a snapshot to messages. Pure: the same words give the same messages.
//!
//! | topic | retained | what |
//! |---|---|---|
//! | `<prefix>/state` | yes | `online`, or `offline` (also the last will) |
//! | `<prefix>/meta` | yes | names, units, ranges and codes of all points and outputs; sent on every connection |
//! | `<prefix>/<device>` | no | the points of one device, by what follows the device's name and a dot |
//! | `<prefix>/site` | no | what the site does, counters, and the points whose names have no dot |
//! | `<prefix>/outputs` | no | all outputs with what binds them |
//!
//! A round is made from one snapshot, so all its messages carry the same `scan`. `t_ms` is the wall clock of that scan, ms
//! since 1970, or null if it is not known; `t_trusted` says whether it was synchronised. A point has a `v` with `unit` and
//! `age_ms`, or `"v":null` and `why`. Numbers are finite always.
//!
//! What a topic cannot hold (`+`, `#`, `/`, control characters) is written as `%` and two hexadecimal digits per byte, and
//! so is the first letter of a device that is called like one of the topics above: no two groups ever share a topic.

mod body;

use crate::scan::snapshot::{Layout, View};
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::sync::Arc;

/// Topics that are no devices.
const OWN_TOPICS: [&str; 4] = ["meta", "outputs", "site", "state"];

/// One message, always sent with quality of service 1 (at least once).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where.
    pub topic: Arc<str>,
    /// What: JSON in UTF-8, or a plain word on the state topic.
    pub payload: Vec<u8>,
    /// Whether the broker keeps it for later subscribers.
    pub retain: bool,
}

impl Message {
    /// The size of the MQTT packet that carries it, at most: type, length, topic length, packet id, no properties.
    #[must_use]
    pub fn packet_bytes(&self) -> usize {
        10 + self.topic.len() + self.payload.len()
    }
}

/// The messages of one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// The scan that they show: scans since start.
    pub scan: u64,
    /// The site's, then one per device, then the outputs'.
    pub messages: Vec<Message>,
}

/// What telemetry tells of itself, in the site's message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Connections since start.
    pub connections: u64,
    /// Messages that the broker acknowledged.
    pub published: u64,
    /// Messages that went because the buffer was full.
    pub dropped: u64,
    /// Messages that the broker refused or that are too large for it.
    pub refused: u64,
    /// Messages in the buffer.
    pub queued: u64,
}

/// The site's points by the topics that they go to. Made once at start.
#[derive(Clone, Debug)]
pub struct Groups {
    layout: Arc<Layout>,
    devices: Vec<Group>,
    site: Group,
    outputs: Arc<str>,
    state: Arc<str>,
    meta: Arc<str>,
}

#[derive(Clone, Debug)]
struct Group {
    topic: Arc<str>,
    /// Index in the image, and the key in the message.
    points: Vec<(usize, String)>,
}

impl Groups {
    /// Sorts the points of a site; `prefix` begins all topics.
    #[must_use]
    pub fn new(layout: Arc<Layout>, prefix: &str) -> Self {
        let topic = |name: &str| Arc::from(format!("{prefix}/{name}"));
        let group = |name: &str| Group { topic: topic(name), points: Vec::new() };
        let mut site = group("site");
        let mut devices: Vec<(&str, Group)> = Vec::new();
        for (point, def) in layout.points.iter().enumerate() {
            // keys are unique: names are, and within a group all share what is cut off
            let Some((device, key)) = def.name.split_once('.') else {
                site.points.push((point, def.name.clone()));
                continue;
            };
            let at = devices.iter().position(|(name, _)| *name == device).unwrap_or_else(|| {
                devices.push((device, group(&level(device))));
                devices.len() - 1
            });
            devices[at].1.points.push((point, key.to_owned()));
        }
        let devices = devices.into_iter().map(|(_, group)| group).collect();
        Self { devices, site, outputs: topic("outputs"), state: topic("state"), meta: topic("meta"), layout }
    }

    /// Messages per round.
    #[must_use]
    pub fn count(&self) -> usize {
        self.devices.len() + 2
    }

    /// The words that a snapshot of this site has.
    #[must_use]
    pub fn words(&self) -> usize {
        self.layout.words()
    }

    /// That the controller is there, or goes.
    #[must_use]
    pub fn state(&self, online: bool) -> Message {
        let word: &[u8] = if online { b"online" } else { b"offline" };
        Message { topic: Arc::clone(&self.state), payload: word.to_vec(), retain: true }
    }

    /// All messages of one snapshot, or `None` if its words are not of this site.
    #[must_use]
    pub fn round(&self, words: &[u64], delivery: &Delivery) -> Option<Round> {
        let view = View::new(&self.layout, words)?;
        let mut messages: Vec<Message> = Vec::with_capacity(self.count());
        let mut site = body::site(&view, delivery);
        site.insert("points".into(), self.site.each(|point| body::point(&view, point)));
        messages.push(message(&self.site.topic, site, false));
        for group in &self.devices {
            let mut device = body::stamp(&view);
            device.insert("points".into(), group.each(|point| body::point(&view, point)));
            messages.push(message(&group.topic, device, false));
        }
        let mut outputs = body::stamp(&view);
        outputs.insert("outputs".into(), body::outputs(&view));
        messages.push(message(&self.outputs, outputs, false));
        Some(Round { scan: view.header().scans, messages })
    }

    /// What the names in the messages mean, by their topics; `every_ms` is the period of the rounds.
    #[must_use]
    pub fn meta(&self, every_ms: u64) -> Message {
        let layout = &self.layout;
        let groups = std::iter::once(&self.site).chain(&self.devices);
        let groups: Map<String, Value> =
            groups.map(|g| (g.topic.to_string(), g.each(|p| body::point_meta(&layout.points[p])))).collect();
        let outputs: Map<String, Value> =
            layout.outputs.iter().map(|o| (o.name.clone(), body::output_meta(o))).collect();
        let all = json!({
            "site": layout.site, "scan_period_ms": layout.period_ms, "every_ms": every_ms,
            "groups": groups, "outputs": outputs, "programs": layout.programs,
        });
        Message { topic: Arc::clone(&self.meta), payload: all.to_string().into_bytes(), retain: true }
    }
}

impl Group {
    fn each(&self, value: impl Fn(usize) -> Value) -> Value {
        Value::Object(self.points.iter().map(|(point, key)| (key.clone(), value(*point))).collect())
    }
}

fn message(topic: &Arc<str>, body: Map<String, Value>, retain: bool) -> Message {
    Message { topic: Arc::clone(topic), payload: Value::Object(body).to_string().into_bytes(), retain }
}

/// A device's name as one level of a topic. `%` itself is written out, so that no two names become one.
fn level(device: &str) -> String {
    let mut level = String::with_capacity(device.len());
    for (at, c) in device.char_indices() {
        let plain = !matches!(c, '+' | '#' | '/' | '%') && !c.is_control();
        if plain && (at > 0 || !OWN_TOPICS.contains(&device)) {
            level.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            write!(level, "%{byte:02X}").expect("a String takes any text");
        }
    }
    if level.is_empty() { "%".into() } else { level }
}

#[cfg(test)]
mod tests;
