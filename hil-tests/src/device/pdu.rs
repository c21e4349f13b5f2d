//! A Modbus protocol data unit: function code and data, at most 253 bytes.

/// Most bytes of a PDU (Modbus Application Protocol 1.1b3, 4.1).
pub const PDU_MAX: usize = 253;

/// A PDU in a buffer of its own.
#[derive(Clone, Debug)]
pub struct Pdu {
    bytes: [u8; PDU_MAX],
    len: usize,
}

impl Default for Pdu {
    fn default() -> Self {
        Self::new()
    }
}

impl Pdu {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: [0; PDU_MAX], len: 0 }
    }

    /// A copy of `bytes`, or `None` for more than 253.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut pdu = Self::new();
        pdu.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        pdu.len = bytes.len();
        Some(pdu)
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Appends a byte. Requests that would need more than 253 were refused before, so more is dropped.
    pub(crate) fn push(&mut self, byte: u8) {
        if let Some(free) = self.bytes.get_mut(self.len) {
            *free = byte;
            self.len += 1;
        }
    }

    /// Appends a register.
    pub(crate) fn push_word(&mut self, word: u16) {
        let [high, low] = word.to_be_bytes();
        self.push(high);
        self.push(low);
    }

    /// The answer that refuses `function` with `code`.
    pub(crate) fn refuse(&mut self, function: u8, code: u8) {
        self.clear();
        self.push(function | 0x80);
        self.push(code);
    }
}
