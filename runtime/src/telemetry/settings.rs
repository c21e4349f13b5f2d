//! What the site file says of MQTT, checked. Errors name the field, carry the number and say what to do.

use std::fmt;
use std::net::Ipv6Addr;
use std::time::Duration;

/// The port of MQTT without TLS (IANA).
pub const PORT: u16 = 1883;
/// Longest client id, bytes. Brokers need only accept 23, all common ones accept far more.
pub const CLIENT_ID_BYTES_MAX: usize = 64;
/// Longest topic prefix, bytes.
pub const PREFIX_BYTES_MAX: usize = 200;
/// Shortest and longest publishing period, ms.
pub const EVERY_MS: (u32, u32) = (100, 86_400_000);
/// Fewest and most messages kept while there is no broker.
pub const OFFLINE_MESSAGES: (u32, u32) = (1, 100_000);
/// Shortest and longest keep-alive, s.
pub const KEEP_ALIVE_S: (u16, u16) = (1, 1_200);
/// Most bytes kept while there is no broker, with what each message costs besides its text.
pub const OFFLINE_BYTES_MAX: usize = 8 << 20;

/// What is asked for, as typed.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// `mqtt://host` or `mqtt://host:port`.
    pub broker: &'a str,
    /// The name under which the broker knows this controller; no two clients of a broker may share it.
    pub client_id: &'a str,
    /// What all topics begin with, without a slash at the end.
    pub prefix: &'a str,
    /// A round of messages every so many ms.
    pub every_ms: u32,
    /// So many messages are kept while there is no broker.
    pub offline_messages_max: u32,
    /// The broker takes the controller for lost after one and a half times this silence, s.
    pub keep_alive_s: u16,
}

/// A broker's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerUrl {
    /// A name, an IPv4 address, or an IPv6 address in brackets.
    pub host: String,
    /// TCP port, 1 to 65535.
    pub port: u16,
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mqtt://{}:{}", self.host, self.port)
    }
}

/// How long the client waits for what; only tests change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// For name, TCP and CONNACK together.
    pub connect: Duration,
    /// The first pause before a new attempt lasts between half of this and this.
    pub retry_first: Duration,
    /// And the longest one.
    pub retry_longest: Duration,
    /// A connection that lasted so long was a good one: pauses begin anew from the first.
    pub steady: Duration,
    /// An orderly stop may take so long.
    pub stop: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            retry_first: Duration::from_secs(1),
            retry_longest: Duration::from_secs(30),
            steady: Duration::from_secs(10),
            stop: Duration::from_secs(2),
        }
    }
}

/// What was asked for, checked. Made by [`Settings::check`] only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the broker is.
    pub broker: BrokerUrl,
    /// The name under which the broker knows this controller.
    pub client_id: String,
    /// What all topics begin with.
    pub prefix: String,
    /// A round of messages every so often.
    pub every: Duration,
    /// Most messages kept while there is no broker. One round of messages is kept in any case.
    pub offline_messages_max: usize,
    /// MQTT's keep-alive; also how long an acknowledgement may take.
    pub keep_alive_s: u16,
    timing: Timing,
}

impl Settings {
    /// Checks what the site file asks for.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first thing.
    pub fn check(asked: &Asked<'_>) -> Result<Self, Vec<SettingsError>> {
        let broker = broker_url(asked.broker);
        let problems: Vec<SettingsError> = [
            broker.as_ref().err().cloned(),
            client_id(asked.client_id).err(),
            prefix(asked.prefix).err(),
            within("every_ms", asked.every_ms, EVERY_MS).err(),
            within("offline_messages_max", asked.offline_messages_max, OFFLINE_MESSAGES).err(),
            within("keep_alive_s", asked.keep_alive_s, KEEP_ALIVE_S).err(),
        ]
        .into_iter()
        .flatten()
        .collect();
        match broker {
            Ok(broker) if problems.is_empty() => Ok(Self {
                broker,
                client_id: asked.client_id.to_owned(),
                prefix: asked.prefix.to_owned(),
                every: Duration::from_millis(u64::from(asked.every_ms)),
                offline_messages_max: usize::try_from(asked.offline_messages_max).unwrap_or(usize::MAX),
                keep_alive_s: asked.keep_alive_s,
                timing: Timing::default(),
            }),
            _ => Err(problems),
        }
    }

    /// The client id of a site: `flyball-` and its name, with `-` for what a client id does not hold.
    #[must_use]
    pub fn client_id_of(site: &str) -> String {
        let plain = site.chars().map(|c| if is_plain(c) { c } else { '-' });
        "flyball-".chars().chain(plain).take(CLIENT_ID_BYTES_MAX).collect()
    }

    /// The same with other waiting times.
    #[must_use]
    pub fn with_timing(self, timing: Timing) -> Self {
        Self { timing, ..self }
    }

    /// How long the client waits for what.
    #[must_use]
    pub fn timing(&self) -> &Timing {
        &self.timing
    }
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No scheme, or another one.
    #[error("`{url}` is not the address of an MQTT broker: write mqtt://host or mqtt://host:{PORT}")]
    NotMqtt {
        /// As typed.
        url: String,
    },
    /// TLS is not there yet.
    #[error(
        "`{url}` asks for TLS, which is not supported yet: use mqtt:// to a broker on this machine or in the site's own \
         network, and let that broker forward over TLS"
    )]
    Tls {
        /// As typed.
        url: String,
    },
    /// A user or password in the address.
    #[error(
        "the broker's address holds a user or password: they do not belong into a site file; remove all up to the `@`"
    )]
    Credentials,
    /// Something after host and port.
    #[error("`{rest}` after the broker's host and port means nothing: the topics' beginning is set by `prefix`")]
    Path {
        /// What stands there.
        rest: String,
    },
    /// No host, or not one.
    #[error("`{host}` is not a host: write a name, an IPv4 address, or an IPv6 address in brackets like [::1]")]
    Host {
        /// As typed.
        host: String,
    },
    /// A port that is none.
    #[error("`{port}` is not a port: write a number from 1 to 65535, or leave it out for {PORT}")]
    Port {
        /// As typed.
        port: String,
    },
    /// An id that not every broker would take.
    #[error(
        "`{id}` cannot be a client id: write 1 to {CLIENT_ID_BYTES_MAX} letters, digits, `-`, `_` or `.`, and give each \
         controller its own"
    )]
    ClientId {
        /// As typed.
        id: String,
    },
    /// A prefix that cannot begin a topic.
    #[error(
        "`{prefix}` cannot begin a topic: write levels like site/cabin of 1 to {PREFIX_BYTES_MAX} bytes in all, none of \
         them empty, without `+`, `#` and control characters, and no `$` in front"
    )]
    Prefix {
        /// As typed.
        prefix: String,
    },
    /// A number outside its range.
    #[error("`{field}` is {value}, but must be from {low} to {high}")]
    Range {
        /// The field.
        field: &'static str,
        /// As typed.
        value: u32,
        /// The least that is allowed.
        low: u32,
        /// The most that is allowed.
        high: u32,
    },
}

impl SettingsError {
    /// The field that it is about: `broker`, `client_id`, `prefix`, `every_ms`, `offline_messages_max` or `keep_alive_s`.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self {
            Self::ClientId { .. } => "client_id",
            Self::Prefix { .. } => "prefix",
            Self::Range { field, .. } => field,
            _ => "broker",
        }
    }
}

/// Reads a broker's address.
///
/// # Errors
/// What is wrong with it.
pub fn broker_url(url: &str) -> Result<BrokerUrl, SettingsError> {
    if url.starts_with("mqtts://") {
        return Err(SettingsError::Tls { url: url.to_owned() });
    }
    let Some(rest) = url.strip_prefix("mqtt://") else {
        return Err(SettingsError::NotMqtt { url: url.to_owned() });
    };
    if rest.contains('@') {
        return Err(SettingsError::Credentials);
    }
    if let Some(at) = rest.find(['/', '?', '#']) {
        return Err(SettingsError::Path { rest: rest[at..].to_owned() });
    }
    // the last colon outside brackets parts host and port
    let (host, port) = match rest.rfind(':') {
        Some(at) if !rest[at..].contains(']') => (&rest[..at], Some(&rest[at + 1..])),
        _ => (rest, None),
    };
    if !is_host(host) {
        return Err(SettingsError::Host { host: host.to_owned() });
    }
    let port =
        port.map_or(Some(PORT), number).ok_or_else(|| SettingsError::Port { port: port.unwrap_or("").to_owned() })?;
    Ok(BrokerUrl { host: host.to_owned(), port })
}

/// Decimal digits and nothing else; 0 is no port.
fn number(port: &str) -> Option<u16> {
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    port.parse().ok().filter(|p| digits && *p != 0)
}

fn is_host(host: &str) -> bool {
    if let Some(inside) = host.strip_prefix('[') {
        return inside.strip_suffix(']').is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok());
    }
    (1..=253).contains(&host.len()) && host.chars().all(is_plain)
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

fn client_id(id: &str) -> Result<(), SettingsError> {
    let fits = (1..=CLIENT_ID_BYTES_MAX).contains(&id.len()) && id.chars().all(is_plain);
    if fits { Ok(()) } else { Err(SettingsError::ClientId { id: id.to_owned() }) }
}

fn prefix(prefix: &str) -> Result<(), SettingsError> {
    let fits = prefix.len() <= PREFIX_BYTES_MAX
        && !prefix.starts_with('$')
        && prefix.split('/').all(|level| !level.is_empty())
        && !prefix.chars().any(|c| matches!(c, '+' | '#') || c.is_control());
    if fits { Ok(()) } else { Err(SettingsError::Prefix { prefix: prefix.to_owned() }) }
}

fn within<T: Into<u32>>(field: &'static str, value: T, (low, high): (T, T)) -> Result<(), SettingsError> {
    let (value, low, high) = (value.into(), low.into(), high.into());
    if (low..=high).contains(&value) { Ok(()) } else { Err(SettingsError::Range { field, value, low, high }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: Asked<'_> = Asked {
        broker: "mqtt://127.0.0.1:1883",
        client_id: "flyball-cabin",
        prefix: "site/cabin",
        every_ms: 1_000,
        offline_messages_max: 10_000,
        keep_alive_s: 30,
    };

    #[test]
    fn addresses_are_read_as_a_table() {
        let host = |host: &str, port| Ok(BrokerUrl { host: host.into(), port });
        let table = [
            ("mqtt://127.0.0.1:1884", host("127.0.0.1", 1884)),
            ("mqtt://broker.example.org", host("broker.example.org", 1883)),
            ("mqtt://[::1]:1884", host("[::1]", 1884)),
            ("mqtt://[::1]", host("[::1]", 1883)),
            ("mqtts://broker:8883", Err(SettingsError::Tls { url: "mqtts://broker:8883".into() })),
            ("tcp://broker", Err(SettingsError::NotMqtt { url: "tcp://broker".into() })),
            ("broker:1883", Err(SettingsError::NotMqtt { url: "broker:1883".into() })),
            ("", Err(SettingsError::NotMqtt { url: String::new() })),
            ("mqtt://me:secret@broker", Err(SettingsError::Credentials)),
            ("mqtt://broker/topic", Err(SettingsError::Path { rest: "/topic".into() })),
            ("mqtt://", Err(SettingsError::Host { host: String::new() })),
            ("mqtt://:1883", Err(SettingsError::Host { host: String::new() })),
            ("mqtt://a b", Err(SettingsError::Host { host: "a b".into() })),
            ("mqtt://::1:1883", Err(SettingsError::Host { host: "::1".into() })),
            ("mqtt://[::1", Err(SettingsError::Host { host: "[:".into() })),
            ("mqtt://broker:", Err(SettingsError::Port { port: String::new() })),
            ("mqtt://broker:0", Err(SettingsError::Port { port: "0".into() })),
            ("mqtt://broker:65536", Err(SettingsError::Port { port: "65536".into() })),
            ("mqtt://broker:+1", Err(SettingsError::Port { port: "+1".into() })),
        ];
        for (url, expected) in table {
            assert_eq!(broker_url(url), expected, "{url}");
        }
    }

    #[test]
    fn everything_wrong_is_said_at_once_and_names_its_field() {
        let asked = Asked {
            broker: "mqtts://b",
            client_id: "",
            prefix: "a//b",
            every_ms: 99,
            offline_messages_max: 0,
            keep_alive_s: 0,
        };
        let problems = Settings::check(&asked).unwrap_err();
        let fields: Vec<_> = problems.iter().map(SettingsError::field).collect();
        assert_eq!(fields, ["broker", "client_id", "prefix", "every_ms", "offline_messages_max", "keep_alive_s"]);
        assert_eq!(problems[3].to_string(), "`every_ms` is 99, but must be from 100 to 86400000");
        assert!(Settings::check(&GOOD).is_ok());
    }

    #[test]
    fn a_prefix_that_a_broker_would_refuse_is_refused_here() {
        let long = "x".repeat(201);
        for bad in ["", "/a", "a/", "a//b", "a/+/b", "a/#", "$SYS/a", "a\u{0}b", long.as_str()] {
            assert!(Settings::check(&Asked { prefix: bad, ..GOOD }).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_client_id_is_short_and_plain() {
        let long = "x".repeat(65);
        for bad in ["", "a b", "ä", "a/b", long.as_str()] {
            assert!(Settings::check(&Asked { client_id: bad, ..GOOD }).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_sites_name_becomes_a_client_id_whatever_it_is() {
        assert_eq!(Settings::client_id_of("cabin"), "flyball-cabin");
        for site in ["", "Hütte am See", "a/b", long_name().as_str()] {
            assert_eq!(client_id(&Settings::client_id_of(site)), Ok(()), "{site}");
        }
    }

    fn long_name() -> String {
        "n".repeat(300)
    }

    proptest! {
        #[test]
        fn no_address_panics_and_what_is_read_is_written_back(url in "(mqtt://)?[a-z0-9:.@/\\[\\]#?-]{0,24}") {
            if let Ok(read) = broker_url(&url) {
                prop_assert_eq!(broker_url(&read.to_string()), Ok(read));
            }
        }
    }
}
