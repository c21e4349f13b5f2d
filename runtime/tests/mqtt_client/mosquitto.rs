//! Debian's mosquitto as the broker, and its subscriber as the client that we did not write.

use flyball_runtime::clock::Deadline;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::spawn;

/// How long a test waits for what must happen.
pub(crate) const WITHIN_MS: u64 = 20_000;

/// A running broker on 127.0.0.1. Killed when dropped.
pub(crate) struct Mosquitto {
    pub(crate) port: u16,
    log: Lines,
    child: Child,
    config: PathBuf,
}

/// Whether mosquitto and its clients are there. If not, says so past the test's captured output.
pub(crate) fn is_installed() -> bool {
    let runs = |program: &str| Command::new(program).arg("--help").output().is_ok();
    let there = broker_program().is_some() && runs("mosquitto_sub");
    if !there {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: mosquitto is not installed (apt-get install mosquitto mosquitto-clients)"
        );
    }
    there
}

/// Debian puts the broker where only root's PATH looks.
fn broker_program() -> Option<&'static str> {
    ["mosquitto", "/usr/sbin/mosquitto"].into_iter().find(|p| Command::new(p).arg("-h").output().is_ok())
}

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

impl Mosquitto {
    /// Starts one and waits until it listens.
    pub(crate) fn start(port: u16) -> Self {
        let config = std::env::temp_dir().join(format!("flyball-mosquitto-{}-{port}.conf", std::process::id()));
        let lines = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_dest stderr\nlog_type all\n"
        );
        fs::write(&config, lines).expect("the temporary directory takes a file");
        let program = broker_program().expect("the caller has looked");
        let mut child = Command::new(program)
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("mosquitto starts");
        let log = Lines::of(child.stderr.take().expect("it is piped"));
        let broker = Self { port, log, child, config };
        broker.log.find("mosquitto runs", |line| line.contains("mosquitto version") && line.ends_with("running"));
        broker
    }

    /// Waits until the broker has logged this.
    pub(crate) fn logs(&self, text: &str) {
        self.log.find(text, |line| line.contains(text));
    }

    /// Subscribes to everything of the test's site and waits until that holds.
    pub(crate) fn subscribe(&self, name: &str) -> Subscriber {
        let mut child = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-V", "5", "-q", "1", "-i", name])
            .args(["-t", "site/t/#", "-F", "%r %t %p"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("mosquitto_sub starts");
        let lines = Lines::of(child.stdout.take().expect("it is piped"));
        self.logs(&format!("Sending SUBACK to {name}"));
        Subscriber { lines, child }
    }
}

impl Drop for Mosquitto {
    /// SIGKILL: the broker says goodbye to nobody.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.config);
    }
}

/// `mosquitto_sub`. Killed when dropped.
pub(crate) struct Subscriber {
    lines: Lines,
    child: Child,
}

/// One message as the subscriber printed it.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Whether the broker had kept it from before the subscription.
    pub(crate) retained: bool,
    pub(crate) topic: String,
    pub(crate) payload: String,
}

impl Subscriber {
    /// The next message on `topic` that fits.
    pub(crate) fn find(&self, topic: &str, fits: impl Fn(&Seen) -> bool) -> Seen {
        let mut found = None;
        self.lines.find(topic, |line| {
            let mut parts = line.splitn(3, ' ');
            let mut part = || parts.next().unwrap_or("").to_owned();
            let seen = Seen { retained: part() == "1", topic: part(), payload: part() };
            let hit = seen.topic == topic && fits(&seen);
            found = hit.then_some(seen);
            hit
        });
        found.expect("`find` returns on a hit only")
    }

    /// The next message on `topic` as JSON.
    pub(crate) fn json(&self, topic: &str) -> serde_json::Value {
        serde_json::from_str(&self.find(topic, |_| true).payload).expect("every message but the state is JSON")
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that a process prints.
struct Lines(Receiver<String>);

impl Lines {
    fn of(from: impl Read + Send + 'static) -> Self {
        let (send, lines) = channel();
        spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Self(lines)
    }

    fn find(&self, what: &str, mut fits: impl FnMut(&str) -> bool) -> String {
        let deadline = Deadline::after_ms(WITHIN_MS);
        let mut before = Vec::new();
        loop {
            match self.0.recv_timeout(deadline.left()) {
                Ok(line) if fits(&line) => return line,
                Ok(line) => before.push(line),
                Err(why) => panic!("waited for {what} ({why}), but there was only {before:#?}"),
            }
        }
    }
}
