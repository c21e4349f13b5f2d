//! A request in a buffer of its own, kept until it is answered, so that the answer can be compared with it.

use flyball_io_map::modbus::{Area, Reply, ReplyError, Request};
use flyball_io_map::profile::WRITE_MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Read(Area),
    Coil,
    Register,
    Coils,
    Registers,
}

/// What a device was asked.
#[derive(Clone, Debug)]
pub struct Question {
    form: Form,
    at: u16,
    count: u16,
    words: [u16; WRITE_MAX],
}

impl Question {
    /// Keeps a request. Of a write, at most the first 123 values: profiles are checked not to have more.
    #[must_use]
    pub fn new(request: &Request<'_>) -> Self {
        let (form, values): (Form, &[u16]) = match request {
            Request::Read { area, count, .. } => {
                return Self { form: Form::Read(*area), at: request.at(), count: *count, words: [0; WRITE_MAX] };
            }
            Request::WriteCoil { on, .. } => (Form::Coil, &[u16::from(*on)]),
            Request::WriteRegister { value, .. } => (Form::Register, &[*value]),
            Request::WriteCoils { values, .. } => (Form::Coils, values),
            Request::WriteRegisters { values, .. } => (Form::Registers, values),
        };
        let (mut words, mut count) = ([0; WRITE_MAX], 0);
        for (word, value) in words.iter_mut().zip(values) {
            *word = *value;
            count += 1;
        }
        Self { form, at: request.at(), count, words }
    }

    /// The first address.
    #[must_use]
    pub fn at(&self) -> u16 {
        self.at
    }

    /// What it writes, from its first address on; nothing if it reads.
    #[must_use]
    pub fn wrote(&self) -> &[u16] {
        if matches!(self.form, Form::Read(_)) { &[] } else { &self.words[..usize::from(self.count)] }
    }

    /// The request again.
    #[must_use]
    pub fn request(&self) -> Request<'_> {
        let (at, values) = (self.at, self.wrote());
        match self.form {
            Form::Read(area) => Request::Read { area, at, count: self.count },
            Form::Coil => Request::WriteCoil { at, on: self.words[0] != 0 },
            Form::Register => Request::WriteRegister { at, value: self.words[0] },
            Form::Coils => Request::WriteCoils { at, values },
            Form::Registers => Request::WriteRegisters { at, values },
        }
    }

    /// Whether `pdu` is its answer, and what it says.
    ///
    /// # Errors
    /// As [`Request::check_reply`].
    pub fn check<'p>(&self, pdu: &'p [u8]) -> Result<Reply<'p>, ReplyError> {
        self.request().check_reply(pdu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_comes_out_as_it_went_in() {
        let long: Vec<u16> = (0..123).collect();
        let requests = [
            Request::Read { area: Area::Discrete, at: 3, count: 2_000 },
            Request::WriteCoil { at: 1, on: true },
            Request::WriteCoil { at: 1, on: false },
            Request::WriteRegister { at: 2, value: 5 },
            Request::WriteCoils { at: 3, values: &[1, 0, 1] },
            Request::WriteRegisters { at: 4, values: &long },
        ];
        for request in requests {
            let question = Question::new(&request);
            assert_eq!((question.request(), question.at()), (request, request.at()));
        }
        assert_eq!(Question::new(&requests[4]).wrote(), [1, 0, 1]);
        assert!(Question::new(&requests[0]).wrote().is_empty());
    }

    #[test]
    fn only_its_own_answer_is_its_answer() {
        let write = Question::new(&Request::WriteRegisters { at: 7, values: &[1, 2] });
        assert!(write.check(&[16, 0, 7, 0, 2]).is_ok());
        assert!(write.check(&[16, 0, 7, 0, 1]).is_err() && write.check(&[3, 2, 0, 0]).is_err());
    }
}
