//! What the site offers to others: the Modbus server for SCADA, telemetry over MQTT.
//!
//! An empty list of peers means nobody. On the loopback interface the machine itself may read; anywhere else each peer is
//! named.

use super::damaged_or;
use super::numbers::within;
use crate::file::{ModbusServerFile, MqttFile, WriterFile};
use crate::report::Problems;
use crate::site::{CommandDef, ModbusServer, Mqtt, Writer};
use flyball_io_map::document::Spanned;
use flyball_io_map::image::PointDef;
use std::net::{IpAddr, SocketAddr};

/// Port of a broker whose address names none.
const MQTT_PORT: u16 = 1883;

/// The server; `commands` with their `points` are those that a writer may name.
pub(super) fn modbus_server(
    problems: &mut Problems,
    file: &ModbusServerFile,
    points: &[PointDef],
    commands: &[CommandDef],
) -> Option<ModbusServer> {
    let listen = listen(problems, &file.listen);
    let readers: Vec<IpAddr> = file.readers.iter().filter_map(|p| peer(problems, p)).collect();
    let names: Vec<&str> = commands.iter().map(|c| points[c.point].name.as_str()).collect();
    let mut writers: Vec<Writer> = Vec::new();
    for file in file.writers.iter().filter_map(damaged_or) {
        let Some(writer) = writer(problems, file, &names) else { continue };
        if writers.iter().any(|w| w.peer == writer.peer) {
            let message = format!("the peer {} is listed twice", writer.peer);
            problems.say_help(&file.peer.span, message, "list all its commands in one place");
        }
        writers.push(writer);
    }
    if let Some(listen) = listen
        && !listen.ip().is_loopback()
        && file.readers.is_empty()
        && file.writers.is_empty()
    {
        let message = format!("the server listens on {listen} for the whole network, but no peer is listed");
        problems.say_help(
            &file.listen.span,
            message,
            "list who may read under `readers` and who may write under `writers`",
        );
    }
    Some(ModbusServer { listen: listen?, units: units(problems, file), readers, writers })
}

fn listen(problems: &mut Problems, given: &Spanned<String>) -> Option<SocketAddr> {
    let parsed = given.value.parse();
    if parsed.is_err() {
        let message = format!("`{}` is not an address to listen on", given.value);
        problems.say_help(&given.span, message, "an IP address and a port, like \"127.0.0.1:1502\"");
    }
    parsed.ok()
}

fn units(problems: &mut Problems, file: &ModbusServerFile) -> Vec<u8> {
    let Some(given) = &file.units else { return vec![1] };
    if given.value.is_empty() {
        problems.say_help(&given.span, "no unit id: the server would answer nobody", "1 is usual");
    }
    let mut units: Vec<u8> = Vec::new();
    for unit in &given.value {
        if units.contains(&unit.value) {
            problems.say(&unit.span, format!("unit id {} is listed twice", unit.value));
        }
        units.push(unit.value);
    }
    units
}

fn peer(problems: &mut Problems, given: &Spanned<String>) -> Option<IpAddr> {
    let parsed = given.value.parse::<IpAddr>().ok().filter(|ip| !ip.is_unspecified() && !ip.is_multicast());
    if parsed.is_none() {
        let message = format!("`{}` is not the address of a peer", given.value);
        problems.say_help(
            &given.span,
            message,
            "one IP address without a port, like \"192.168.1.10\"; nobody stands for everybody",
        );
    }
    parsed
}

fn writer(problems: &mut Problems, file: &WriterFile, names: &[&str]) -> Option<Writer> {
    let peer = peer(problems, &file.peer);
    let writes_per_s = within(problems, "writes_per_s", &file.writes_per_s, 1..=1_000);
    if file.commands.value.is_empty() {
        let message = "a writer without commands may write nothing";
        problems.say_help(&file.commands.span, message, "list its commands, or list it under `readers`");
    }
    let mut commands: Vec<usize> = Vec::new();
    for name in &file.commands.value {
        match names.iter().position(|n| *n == name.value) {
            Some(command) if commands.contains(&command) => {
                problems.say(&name.span, format!("`{}` is listed twice", name.value));
            }
            Some(command) => commands.push(command),
            None => problems.unknown(&name.span, format!("no command is called `{}`", name.value), &name.value, names),
        }
    }
    Some(Writer { peer: peer?, commands, heartbeat: file.heartbeat, writes_per_s })
}

/// Telemetry of the site called `site`.
pub(super) fn mqtt(problems: &mut Problems, file: &MqttFile, site: &str) -> Option<Mqtt> {
    let broker = broker(problems, &file.broker);
    let topic = match &file.topic {
        Some(topic) => {
            let odd = |level: &str| level.is_empty() || level.contains(['+', '#', '\0']) || level.starts_with('$');
            if topic.value.split('/').any(odd) || topic.value.len() > 200 {
                let message = format!("`{}` cannot be a topic to publish under", topic.value);
                problems.say_help(&topic.span, message, "words with `/` between, without `+`, `#` and `$`");
            }
            topic.value.clone()
        }
        None => format!("flyball/{site}"),
    };
    let every_ms = file.every_ms.as_ref().map_or(1_000, |e| within(problems, "every_ms", e, 100..=86_400_000));
    let max = file.offline_messages_max.as_ref();
    let offline_messages_max = max.map_or(1_000, |m| within(problems, "offline_messages_max", m, 1..=100_000));
    let (host, port) = broker?;
    Some(Mqtt { host, port, topic, every_ms, offline_messages_max })
}

fn broker(problems: &mut Problems, given: &Spanned<String>) -> Option<(String, u16)> {
    let parsed = given.value.strip_prefix("mqtt://").and_then(|rest| {
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok().filter(|p| *p != 0)?),
            _ => (rest, MQTT_PORT),
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
        (!host.is_empty() && host.chars().all(fits)).then(|| (host.to_owned(), port))
    });
    if parsed.is_none() {
        let message = format!("`{}` is not the address of a broker", given.value);
        problems.say_help(&given.span, message, "like \"mqtt://127.0.0.1:1883\"");
    }
    parsed
}
