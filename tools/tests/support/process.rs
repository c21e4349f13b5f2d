//! A process with piped output whose lines are waited for with a deadline. It is killed when it is dropped.

use flyball_runtime::clock::{Deadline, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// The released binary under test.
const FLYBALL: &str = env!("CARGO_BIN_EXE_flyball");

type Lines = Arc<Mutex<Vec<String>>>;

pub(crate) struct Process {
    child: Child,
    out: Lines,
    err: Lines,
    readers: Vec<JoinHandle<()>>,
}

/// How a process ended, and what it said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Starts `flyball` with these arguments.
pub(crate) fn flyball<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Process {
    Process::start(Command::new(FLYBALL).args(args))
}

/// Runs `flyball` to its end, which must come within a minute.
pub(crate) fn flyball_says<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Said {
    flyball(args).ends_within_ms(60_000)
}

/// Runs some other program to its end, which must come within a minute.
pub(crate) fn says(program: &Path, args: &[&str]) -> Said {
    Process::start(Command::new(program).args(args)).ends_within_ms(60_000)
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap_or_else(|why| panic!("{command:?} does not start: {why}"));
        let (out, err) = (Lines::default(), Lines::default());
        let readers = vec![
            follow(child.stdout.take().expect("it is piped"), Arc::clone(&out)),
            follow(child.stderr.take().expect("it is piped"), Arc::clone(&err)),
        ];
        Self { child, out, err, readers }
    }

    /// Waits for a line of its output that `wanted` makes something of.
    pub(crate) fn waits_for<T>(&self, ms: u64, what: &str, mut wanted: impl FnMut(&str) -> Option<T>) -> T {
        let mut looked = 0;
        let mut found = None;
        until(Deadline::after_ms(ms), || {
            let lines = self.out.lock().unwrap();
            found = lines[looked..].iter().find_map(|line| wanted(line));
            looked = lines.len();
            found.is_some()
        });
        found.unwrap_or_else(|| {
            panic!("no {what} within {ms} ms; it said\n{}\n{}", joined(&self.out), joined(&self.err))
        })
    }

    /// Everything on stdout so far.
    pub(crate) fn out(&self) -> String {
        joined(&self.out)
    }

    /// Everything on stderr so far.
    pub(crate) fn err(&self) -> String {
        joined(&self.err)
    }

    /// Writes a line to its standard input.
    pub(crate) fn tell(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("it is piped");
        writeln!(stdin, "{line}")
            .and_then(|()| stdin.flush())
            .unwrap_or_else(|why| panic!("it does not listen: {why}"));
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(pid, signal).expect("a process that was not waited for can be signalled");
    }

    /// Waits for its end.
    pub(crate) fn ends_within_ms(mut self, ms: u64) -> Said {
        let mut status: Option<ExitStatus> = None;
        until(Deadline::after_ms(ms), || {
            status = self.child.try_wait().expect("our own child can be waited for");
            status.is_some()
        });
        let Some(status) = status else {
            panic!("it did not end within {ms} ms; it said\n{}\n{}", joined(&self.out), joined(&self.err));
        };
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        Said { code: status.code(), out: joined(&self.out), err: joined(&self.err) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn follow(pipe: impl Read + Send + 'static, lines: Lines) -> JoinHandle<()> {
    std::thread::spawn(move || {
        // what is no UTF-8 ends it too: then the test misses a line and says so
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            lines.lock().unwrap().push(line);
        }
    })
}

fn joined(lines: &Lines) -> String {
    lines.lock().unwrap().join("\n")
}
