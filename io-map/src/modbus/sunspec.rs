//! Finding the models of a SunSpec device, without a socket: ask what [`Discovery::request`] says, hand in what came.
//!
//! A device marks the beginning of its map with the registers 0x5375 0x6E53 ("SunS") at 40000, 0 or 50000. Behind the marker
//! stand models, each with its id, its length and its points; the id 0xFFFF ends the list. The common model, 1, is the
//! first. Many devices answer with an exception where the end should be, which is taken for it.
//!
//! Source: SunSpec device information model specification V1.2, section on Modbus mapping.

use super::exception::Exception;
use super::pdu::{Area, Request};

/// "SunS".
const MARKER: [u16; 2] = [0x5375, 0x6E53];
const END: u16 = 0xFFFF;
const COMMON: u16 = 1;
/// More models than any device has; a list that goes on is a register that always reads the same.
const MODELS_MAX: usize = 256;

/// One model of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its id.
    pub id: u16,
    /// The address of its id register; offsets of points count from here.
    pub at: u16,
    /// How many registers it has, including id and length.
    pub len: u16,
}

/// The models of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelTable {
    /// Where the marker stands.
    pub base: u16,
    /// In the order of their addresses. An id may occur several times.
    pub models: Vec<Model>,
}

impl ModelTable {
    /// The first model with this id.
    #[must_use]
    pub fn find(&self, id: u16) -> Option<Model> {
        self.models.iter().copied().find(|m| m.id == id)
    }
}

/// Why a device is not the SunSpec device that is needed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// No marker anywhere.
    #[error("no SunSpec marker at {bases:?}: check the unit id, and whether SunSpec is switched on in the device")]
    NoMarker {
        /// Where it was looked for.
        bases: Vec<u16>,
    },
    /// The first model is not the common model.
    #[error("the first SunSpec model at {at} is {id}, not 1: the device's map is broken, ask its maker")]
    NotCommonFirst {
        /// Its address.
        at: u16,
        /// Its id.
        id: u16,
    },
    /// A model of no length, or one that ends beyond the last address.
    #[error("SunSpec model {id} at {at} claims {len} registers: the device's map is broken, ask its maker")]
    Length {
        /// Its id.
        id: u16,
        /// Its address.
        at: u16,
        /// Its length as the device gives it.
        len: u16,
    },
    /// The list does not end.
    #[error("more than {MODELS_MAX} SunSpec models: the device's map does not end, ask its maker")]
    Endless,
    /// Models that the profile needs are not there.
    #[error(
        "SunSpec models {missing:?} are missing, found are {found:?}: this is another device, or they must be switched on"
    )]
    Missing {
        /// Ids of what is needed and not there.
        missing: Vec<u16>,
        /// Ids of what is there.
        found: Vec<u16>,
    },
    /// An exception that does not mean "nothing here".
    #[error("asked for SunSpec registers at {at}, {exception}")]
    Refused {
        /// Where.
        at: u16,
        /// The exception; whether to try again, its reaction tells.
        exception: Exception,
    },
    /// Other than the two registers asked for.
    #[error("{got} registers where 2 were asked for")]
    Answer {
        /// How many came.
        got: usize,
    },
}

/// The search for models. Each request is for two registers.
#[derive(Clone, Debug)]
pub struct Discovery {
    bases: Vec<u16>,
    required: Vec<u16>,
    /// Which base is being tried.
    trying: usize,
    /// The address of the next model; `None` while the marker is looked for.
    next: Option<u16>,
    models: Vec<Model>,
}

impl Discovery {
    /// Looks for the marker at these addresses, in this order, and for these models.
    ///
    /// # Panics
    /// If there is no address, or one above 65532; the check of profiles refuses this first.
    #[must_use]
    pub fn new(bases: &[u16], required: &[u16]) -> Self {
        assert!(!bases.is_empty() && bases.iter().all(|b| *b <= 65_532), "1 or more addresses up to 65532: {bases:?}");
        Self { bases: bases.to_vec(), required: required.to_vec(), trying: 0, next: None, models: Vec::new() }
    }

    /// What to ask the device for now.
    #[must_use]
    pub fn request(&self) -> Request<'static> {
        Request::Read { area: Area::Holding, at: self.at(), count: 2 }
    }

    fn at(&self) -> u16 {
        self.next.unwrap_or(self.bases[self.trying])
    }

    /// Takes the answer to [`Discovery::request`]: two registers, or an exception. A time-out is not handed in; the same
    /// request stands until it is answered. Gives the models once all are known; else there is a further request.
    ///
    /// # Errors
    /// The device is not the one that is needed. The search is then over.
    pub fn take(&mut self, answer: Result<&[u16], Exception>) -> Result<Option<ModelTable>, DiscoveryError> {
        let at = self.at();
        let nothing_here = |e: Exception| {
            matches!(e, Exception::IllegalAddress | Exception::IllegalValue | Exception::IllegalFunction)
        };
        match (answer, self.next) {
            (Err(e), None) if nothing_here(e) => self.no_marker(),
            (Err(e), Some(_)) if nothing_here(e) && !self.models.is_empty() => self.finish(),
            (Err(exception), _) => Err(DiscoveryError::Refused { at, exception }),
            (Ok(words), None) if *words == MARKER => {
                self.next = Some(at + 2);
                Ok(None)
            }
            (Ok([_, _]), None) => self.no_marker(),
            (Ok([id, len]), Some(_)) => self.model(Model { id: *id, at, len: *len }),
            (Ok(words), _) => Err(DiscoveryError::Answer { got: words.len() }),
        }
    }

    fn no_marker(&mut self) -> Result<Option<ModelTable>, DiscoveryError> {
        self.trying += 1;
        if self.trying < self.bases.len() {
            return Ok(None);
        }
        self.trying = 0;
        Err(DiscoveryError::NoMarker { bases: self.bases.clone() })
    }

    /// A header was read; `header.len` is the length as the device gives it.
    fn model(&mut self, header: Model) -> Result<Option<ModelTable>, DiscoveryError> {
        let Model { id, at, len } = header;
        if id == END && !self.models.is_empty() {
            return self.finish();
        }
        if self.models.is_empty() && id != COMMON {
            return Err(DiscoveryError::NotCommonFirst { at, id });
        }
        if self.models.len() == MODELS_MAX {
            return Err(DiscoveryError::Endless);
        }
        let next = u32::from(at) + 2 + u32::from(len);
        let Some(whole) = len.checked_add(2).filter(|_| len > 0 && next <= 0x1_0000) else {
            return Err(DiscoveryError::Length { id, at, len });
        };
        self.models.push(Model { id, at, len: whole });
        self.next = u16::try_from(next).ok().filter(|next| *next < u16::MAX);
        // a map that goes to the last address has no room for an end mark
        if self.next.is_none() { self.finish() } else { Ok(None) }
    }

    fn finish(&mut self) -> Result<Option<ModelTable>, DiscoveryError> {
        let found: Vec<u16> = self.models.iter().map(|m| m.id).collect();
        let missing: Vec<u16> = self.required.iter().copied().filter(|id| !found.contains(id)).collect();
        if !missing.is_empty() {
            return Err(DiscoveryError::Missing { missing, found });
        }
        Ok(Some(ModelTable { base: self.bases[self.trying], models: std::mem::take(&mut self.models) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// A device: registers, and an exception where there are none.
    struct Device(BTreeMap<u16, u16>);

    impl Device {
        fn new(base: u16, models: &[(u16, u16)], end: bool) -> Self {
            let mut registers: BTreeMap<u16, u16> = [(base, MARKER[0]), (base + 1, MARKER[1])].into();
            let mut map: Vec<u16> = Vec::new();
            for (id, len) in models {
                map.extend([*id, *len]);
                map.extend(std::iter::repeat_n(7, usize::from(*len)));
            }
            if end {
                map.extend([END, 0]);
            }
            registers.extend((base + 2..=u16::MAX).zip(map));
            Self(registers)
        }

        fn answer(&self, request: Request<'_>) -> Result<Vec<u16>, Exception> {
            let at = request.at();
            let read = |at: Option<u16>| at.and_then(|at| self.0.get(&at)).copied().ok_or(Exception::IllegalAddress);
            Ok(vec![read(Some(at))?, read(at.checked_add(1))?])
        }

        fn discover(&self, bases: &[u16], required: &[u16]) -> Result<ModelTable, DiscoveryError> {
            let mut discovery = Discovery::new(bases, required);
            for _ in 0..1_000 {
                let answer = self.answer(discovery.request());
                if let Some(table) = discovery.take(answer.as_deref().map_err(|e| *e))? {
                    return Ok(table);
                }
            }
            panic!("the search does not end");
        }
    }

    const BASES: [u16; 3] = [40_000, 0, 50_000];

    #[test]
    fn models_are_found_wherever_the_marker_stands() {
        for base in BASES {
            let table = Device::new(base, &[(1, 66), (701, 153), (704, 65)], true).discover(&BASES, &[1, 704]);
            let table = table.expect("a good device");
            let addresses: Vec<(u16, u16, u16)> = table.models.iter().map(|m| (m.id, m.at - base, m.len)).collect();
            assert_eq!((table.base, addresses), (base, vec![(1, 2, 68), (701, 70, 155), (704, 225, 67)]));
        }
    }

    #[test]
    fn an_exception_behind_the_last_model_is_its_end() {
        let table = Device::new(40_000, &[(1, 65), (103, 50)], false).discover(&BASES, &[103]).expect("a good device");
        assert_eq!(table.find(103).map(|m| m.at), Some(40_000 + 2 + 67));
    }

    #[test]
    fn repeated_models_are_kept_and_the_first_one_counts() {
        let table =
            Device::new(0, &[(1, 66), (103, 50), (103, 50)], true).discover(&BASES, &[]).expect("a good device");
        assert_eq!((table.models.len(), table.find(103).map(|m| m.at)), (3, Some(70)));
        assert_eq!(table.find(999), None);
    }

    #[test]
    fn a_missing_model_is_named_with_what_was_found() {
        let refused = Device::new(0, &[(1, 66), (103, 50)], true).discover(&BASES, &[1, 701, 704]);
        assert_eq!(refused, Err(DiscoveryError::Missing { missing: vec![701, 704], found: vec![1, 103] }));
    }

    #[test]
    fn a_device_without_a_marker_is_no_sunspec_device() {
        let refused = Device((0..200).map(|at| (at, 1)).collect()).discover(&BASES, &[]);
        assert_eq!(refused, Err(DiscoveryError::NoMarker { bases: BASES.to_vec() }));
    }

    #[test]
    fn broken_maps_are_refused_where_they_break() {
        let broken = |models: &[(u16, u16)]| Device::new(0, models, true).discover(&BASES, &[]);
        assert_eq!(broken(&[(103, 50)]), Err(DiscoveryError::NotCommonFirst { at: 2, id: 103 }));
        assert_eq!(broken(&[]), Err(DiscoveryError::NotCommonFirst { at: 2, id: END }));
        let mut device = Device::new(0, &[(1, 66), (103, 50)], true);
        device.0.insert(71, 0);
        assert_eq!(device.discover(&BASES, &[]), Err(DiscoveryError::Length { id: 103, at: 70, len: 0 }));
        for len in [65_466, 65_534, u16::MAX] {
            device.0.insert(71, len);
            assert_eq!(device.discover(&BASES, &[]), Err(DiscoveryError::Length { id: 103, at: 70, len }));
        }
    }

    #[test]
    fn a_map_that_reads_one_everywhere_is_endless() {
        let mut registers: BTreeMap<u16, u16> = (0..4_000).map(|at| (at, 1)).collect();
        registers.extend([(0, MARKER[0]), (1, MARKER[1])]);
        assert_eq!(Device(registers).discover(&[0], &[]), Err(DiscoveryError::Endless));
    }

    #[test]
    fn a_device_that_is_busy_is_neither_the_end_nor_a_missing_marker() {
        let mut discovery = Discovery::new(&BASES, &[]);
        let busy = DiscoveryError::Refused { at: 40_000, exception: Exception::Busy };
        assert_eq!(discovery.take(Err(Exception::Busy)), Err(busy));
        discovery.take(Ok(&MARKER)).expect("the marker");
        // an exception right behind the marker: there is not even the common model
        assert!(matches!(
            discovery.take(Err(Exception::IllegalAddress)),
            Err(DiscoveryError::Refused { at: 40_002, .. })
        ));
        assert_eq!(discovery.take(Ok(&[1])), Err(DiscoveryError::Answer { got: 1 }));
        assert_eq!(discovery.take(Ok(&[1, 66])), Ok(None));
        let busy = DiscoveryError::Refused { at: 40_070, exception: Exception::Busy };
        assert_eq!(discovery.take(Err(Exception::Busy)), Err(busy), "the request stands");
        assert!(matches!(discovery.take(Err(Exception::IllegalAddress)), Ok(Some(_))));
    }

    #[test]
    fn a_map_may_fill_the_last_address() {
        let table = Device::new(50_000, &[(1, 66), (64_001, 15_464)], false).discover(&BASES, &[64_001]);
        let last = table.expect("a full map").find(64_001).expect("its model");
        assert_eq!(u32::from(last.at) + u32::from(last.len), 65_536);
    }

    proptest! {
        #[test]
        fn no_device_makes_it_panic_or_run_for_ever(registers in prop::collection::btree_map(0u16..120, 0u16..120, 0..120), marker in any::<bool>()) {
            let mut registers = registers;
            if marker {
                registers.extend([(0, MARKER[0]), (1, MARKER[1]), (2, COMMON)]);
            }
            let _ = Device(registers).discover(&[0], &[]);
        }
    }
}
