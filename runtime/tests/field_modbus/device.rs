//! A scripted Modbus device: registers, a log of what it was asked, and misbehaviour on demand.

use flyball_runtime::field::modbus::poller::Poller;
use std::collections::BTreeMap;

/// How the device misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ill {
    /// It does not.
    No,
    /// It answers nothing.
    Silent,
    /// It answers every request with this exception.
    Exception(u8),
    /// It answers requests that touch this register with this exception.
    ExceptionAt(u16, u8),
    /// It answers writes that touch this register with this exception.
    WritesExceptionAt(u16, u8),
    /// It acknowledges writes and does not take them.
    IgnoresWrites,
    /// It takes writes and loses the answers to them.
    LosesWriteAnswers,
    /// It answers with another function code.
    WrongFunction,
    /// It answers with one register less than asked for.
    ShortAnswer,
}

/// One request, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// When, ms.
    pub(crate) ms: u64,
    /// Function code.
    pub(crate) function: u8,
    /// First address.
    pub(crate) at: u16,
    /// How many addresses.
    pub(crate) count: u16,
    /// What was written.
    pub(crate) values: Vec<u16>,
}

/// The device. Bits and registers of all areas share one space by function: 1 and 5 coils, 2 discrete inputs, 3 holding,
/// 4 input registers.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) registers: BTreeMap<(u8, u16), u16>,
    pub(crate) ill: Ill,
    pub(crate) answer_ms: u64,
    pub(crate) log: Vec<Asked>,
}

impl Device {
    pub(crate) fn new() -> Self {
        Self { registers: BTreeMap::new(), ill: Ill::No, answer_ms: 3, log: Vec::new() }
    }

    /// Holding registers from `at` on.
    pub(crate) fn hold(&mut self, at: u16, values: &[u16]) -> &mut Self {
        for (i, value) in (0..).zip(values) {
            self.registers.insert((3, at + i), *value);
        }
        self
    }

    pub(crate) fn get(&self, at: u16) -> u16 {
        self.registers[&(3, at)]
    }

    /// The answer to a request; `None` if there is none.
    pub(crate) fn answer(&mut self, ms: u64, pdu: &[u8]) -> Option<Vec<u8>> {
        let be = |i: usize| u16::from_be_bytes([pdu[i], pdu[i + 1]]);
        let (function, at) = (pdu[0], be(1));
        let values: Vec<u16> = match function {
            5 | 6 => vec![if function == 5 { u16::from(be(3) == 0xFF00) } else { be(3) }],
            16 => (0..be(3)).map(|i| be(6 + 2 * usize::from(i))).collect(),
            _ => Vec::new(),
        };
        let count = if function < 5 { be(3) } else { u16::try_from(values.len()).unwrap() };
        self.log.push(Asked { ms, function, at, count, values: values.clone() });
        match self.ill {
            Ill::Silent => return None,
            Ill::Exception(code) => return Some(vec![function | 0x80, code]),
            Ill::ExceptionAt(bad, code) if (at..at + count).contains(&bad) => return Some(vec![function | 0x80, code]),
            Ill::WritesExceptionAt(bad, code) if function > 4 && (at..at + count).contains(&bad) => {
                return Some(vec![function | 0x80, code]);
            }
            Ill::WrongFunction => return Some(vec![function + 1, 0, 0]),
            _ => {}
        }
        if function < 5 {
            return Some(self.read(function, at, count));
        }
        let area = if function == 5 { 1 } else { 3 };
        if (0..count).any(|i| !self.registers.contains_key(&(area, at + i))) {
            return Some(vec![function | 0x80, 2]);
        }
        if self.ill != Ill::IgnoresWrites {
            for (i, value) in (0..).zip(&values) {
                self.registers.insert((area, at + i), *value);
            }
        }
        (self.ill != Ill::LosesWriteAnswers).then(|| pdu[..5].to_vec())
    }

    fn read(&self, function: u8, at: u16, count: u16) -> Vec<u8> {
        let values: Option<Vec<u16>> = (0..count).map(|i| self.registers.get(&(function, at + i)).copied()).collect();
        let Some(mut values) = values else { return vec![function | 0x80, 2] };
        if self.ill == Ill::ShortAnswer {
            values.pop();
        }
        let bytes: Vec<u8> = if function < 3 {
            values.chunks(8).map(|eight| eight.iter().rev().fold(0, |byte, v| byte << 1 | u8::from(*v != 0))).collect()
        } else {
            values.iter().flat_map(|v| v.to_be_bytes()).collect()
        };
        [vec![function, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    }

    /// What was written to a register, with the times.
    pub(crate) fn written(&self, at: u16) -> Vec<(u64, u16)> {
        let hits = self.log.iter().filter(|a| a.function > 4 && (a.at..a.at + a.count).contains(&at));
        hits.map(|a| (a.ms, a.values[usize::from(at - a.at)])).collect()
    }

    /// When a register was read.
    pub(crate) fn reads(&self, at: u16) -> Vec<u64> {
        self.log.iter().filter(|a| a.function < 5 && (a.at..a.at + a.count).contains(&at)).map(|a| a.ms).collect()
    }

    /// The log as text, one request per entry: `r3 100+2` or `w16 50 [1, 2]`.
    pub(crate) fn story(&self) -> Vec<String> {
        let line = |a: &Asked| match a.function {
            1..=4 => format!("r{} {}+{}", a.function, a.at, a.count),
            _ => format!("w{} {} {:?}", a.function, a.at, a.values),
        };
        self.log.iter().map(line).collect()
    }
}

/// The newest value of a point, whatever its age, or why there is none.
pub(crate) fn value(poller: &Poller, point: usize) -> Result<f64, flyball_io_map::image::NoData> {
    let reading = poller.words().reading(point);
    reading.fresh(reading.taken(), u64::MAX)
}
