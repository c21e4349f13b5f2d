//! Where everything stands in the SunSpec map, from the model definitions of the SunSpec Alliance (sunspec/models,
//! commit 7abdf89): the type of every register, and the name of every point that this device gives a meaning.
//!
//! Points without a name here hold their type's "not implemented" code for ever.

/// Type of a point, after the SunSpec Device Information Model Specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    I16,
    U16,
    Enum16,
    Bits16,
    I32,
    U32,
    Bits32,
    U64,
    /// Scale factor, `sunssf`.
    Scale,
    /// Text of so many registers.
    Text(u16),
    Pad,
}

impl Kind {
    /// Registers it takes.
    pub(crate) fn len(self) -> u16 {
        match self {
            Self::I16 | Self::U16 | Self::Enum16 | Self::Bits16 | Self::Scale | Self::Pad => 1,
            Self::I32 | Self::U32 | Self::Bits32 => 2,
            Self::U64 => 4,
            Self::Text(len) => len,
        }
    }

    /// Its "not implemented" code; `None` for texts, which are all zero.
    pub(crate) fn absent(self) -> Option<&'static [u16]> {
        match self {
            Self::I16 | Self::Scale | Self::Pad => Some(&[0x8000]),
            Self::U16 | Self::Enum16 | Self::Bits16 => Some(&[0xFFFF]),
            Self::I32 => Some(&[0x8000, 0]),
            Self::U32 | Self::Bits32 => Some(&[0xFFFF; 2]),
            Self::U64 => Some(&[0xFFFF; 4]),
            Self::Text(_) => None,
        }
    }
}

/// A point with a meaning: its register, counted from the map's base, and its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) at: u16,
    pub(crate) kind: Kind,
}

/// One model of the map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model {
    pub(crate) id: u16,
    /// Register of its id, counted from the map's base.
    pub(crate) at: u16,
    /// Registers behind id and length.
    pub(crate) len: u16,
    /// Types of its points in order: so many of a kind.
    pub(crate) kinds: &'static [(u16, Kind)],
    /// The points with a meaning, to prove where they stand.
    #[cfg(test)]
    pub(crate) points: &'static [Point],
}

/// Declares a model's points as constants, and all of them as `POINTS`.
macro_rules! points {
    ($name:ident at $at:literal { $($point:ident @ $offset:literal $kind:expr;)* }) => {
        pub(crate) mod $name {
            use super::{Kind::*, Point};
            pub(crate) const AT: u16 = $at;
            $(pub(crate) const $point: Point = Point { at: AT + $offset, kind: $kind };)*
            #[cfg(test)]
            pub(crate) const POINTS: &[Point] = &[$($point),*];
        }
    };
}

points!(m1 at 2 {
    MN @ 2 Text(16); MD @ 18 Text(16); VR @ 42 Text(8); SN @ 50 Text(16); DA @ 66 U16;
});
points!(m701 at 70 {
    AC_TYPE @ 2 Enum16; ST @ 3 Enum16; INV_ST @ 4 Enum16; CONN_ST @ 5 Enum16; ALRM @ 6 Bits32; DER_MODE @ 8 Bits32;
    W @ 10 I16; VA @ 11 I16; VAR @ 12 I16; PF @ 13 I16; A @ 14 I16; LNV @ 16 U16; HZ @ 17 U32;
    TOT_WH_INJ @ 19 U64; TOT_WH_ABS @ 23 U64; TMP_CAB @ 36 I16; TMP_SNK @ 37 I16;
    WL1 @ 41 I16; VAL1 @ 42 I16; VARL1 @ 43 I16; AL1 @ 45 I16; VL1 @ 47 U16;
    A_SF @ 113 Scale; V_SF @ 114 Scale; HZ_SF @ 115 Scale; W_SF @ 116 Scale; PF_SF @ 117 Scale; VA_SF @ 118 Scale;
    VAR_SF @ 119 Scale; TOT_WH_SF @ 120 Scale; TMP_SF @ 122 Scale;
});
points!(m702 at 225 {
    W_MAX_RTG @ 2 U16; VA_MAX_RTG @ 7 U16; W_CHA_RTE_MAX_RTG @ 10 U16; W_DIS_CHA_RTE_MAX_RTG @ 11 U16;
    V_NOM_RTG @ 14 U16; CTRL_MODES @ 23 Bits32; W_MAX @ 26 U16; W_CHA_RTE_MAX @ 34 U16; W_DIS_CHA_RTE_MAX @ 35 U16;
    W_SF @ 45 Scale; VA_SF @ 47 Scale; V_SF @ 49 Scale;
});
points!(m704 at 277 {
    W_SET_ENA @ 22 Enum16; W_SET_MOD @ 23 Enum16; W_SET @ 24 I32; W_SET_RVRT @ 26 I32; W_SET_ENA_RVRT @ 30 Enum16;
    W_SET_RVRT_TMS @ 31 U32; W_SET_RVRT_REM @ 33 U32; W_SET_SF @ 55 Scale;
});
points!(m713 at 344 {
    WH_RTG @ 2 U16; WH_AVAIL @ 3 U16; SOC @ 4 U16; SOH @ 5 U16; STA @ 6 Enum16; WH_SF @ 7 Scale; PCT_SF @ 8 Scale;
});
points!(m715 at 353 {
    LOC_REM_CTL @ 2 Enum16; DER_HB @ 3 U32; CONTROLLER_HB @ 5 U32; ALARM_RESET @ 7 U16; OP_CTL @ 8 Enum16;
});
points!(m802 at 362 {
    AH_RTG @ 2 U16; WH_RTG @ 3 U16; W_CHA_RTE_MAX @ 4 U16; W_DIS_CHA_RTE_MAX @ 5 U16; SOC_MAX @ 7 U16; SOC_MIN @ 8 U16;
    SOC_RSV_MAX @ 9 U16; SOC_RSV_MIN @ 10 U16; SOC @ 11 U16; SOH @ 13 U16; CHA_ST @ 16 Enum16; LOC_REM_CTL @ 17 Enum16;
    HB @ 18 U16; CTRL_HB @ 19 U16; ALM_RST @ 20 U16; TYP @ 21 Enum16; STATE @ 22 Enum16; EVT1 @ 26 Bits32;
    EVT2 @ 28 Bits32; EVT_VND1 @ 30 Bits32; EVT_VND2 @ 32 Bits32; V @ 34 U16; V_MAX @ 35 U16; V_MIN @ 36 U16;
    CELL_V_MAX @ 37 U16; CELL_V_MIN @ 40 U16; CELL_V_AVG @ 43 U16; A @ 44 I16; A_CHA_MAX @ 45 U16;
    A_DIS_CHA_MAX @ 46 U16; W @ 47 I16; SET_OP @ 50 Enum16; SET_INV_STATE @ 51 Enum16; AH_RTG_SF @ 52 Scale;
    WH_RTG_SF @ 53 Scale; W_CHA_DIS_CHA_MAX_SF @ 54 Scale; SOC_SF @ 56 Scale; SOH_SF @ 58 Scale; V_SF @ 59 Scale;
    CELL_V_SF @ 60 Scale; A_SF @ 61 Scale; A_MAX_SF @ 62 Scale; W_SF @ 63 Scale;
});

/// Measurements of one phase in model 701.
const PHASE: [(u16, Kind); 3] = [(5, Kind::I16), (2, Kind::U16), (4, Kind::U64)];

/// The models of this device, ascending as they stand in the map.
#[rustfmt::skip]
pub(crate) const MODELS: [Model; 7] = {
    use Kind::{Bits16, Bits32, Enum16, I16, I32, Pad, Scale, Text, U16, U32, U64};
    [
        Model {
            id: 1,
            at: m1::AT,
            len: 66,
            kinds: &[(2, Text(16)), (2, Text(8)), (1, Text(16)), (1, U16), (1, Pad)],
            #[cfg(test)]
            points: m1::POINTS,
        },
        Model {
            id: 701,
            at: m701::AT,
            len: 153,
            kinds: &[
                (4, Enum16), (2, Bits32), (5, I16), (2, U16), (1, U32), (4, U64), (6, I16),
                PHASE[0], PHASE[1], PHASE[2], PHASE[0], PHASE[1], PHASE[2], PHASE[0], PHASE[1], PHASE[2],
                (1, U16), (1, Bits32), (10, Scale), (1, Text(32)),
            ],
            #[cfg(test)]
            points: m701::POINTS,
        },
        Model {
            id: 702,
            at: m702::AT,
            len: 50,
            kinds: &[(19, U16), (2, Enum16), (1, Bits32), (1, Bits16), (18, U16), (1, Bits16), (7, Scale)],
            #[cfg(test)]
            points: m702::POINTS,
        },
        Model {
            id: 704,
            at: m704::AT,
            len: 65,
            kinds: &[
                (2, Enum16), (2, U32), (2, Enum16), (2, U32), (1, Enum16), (2, U16), (1, Enum16), (2, U32),
                (2, Enum16), (2, I32), (2, I16), (1, Enum16), (2, U32),
                (3, Enum16), (2, I32), (2, I16), (1, Enum16), (2, U32),
                (1, U16), (1, Enum16), (1, U16), (1, Enum16), (6, Scale),
                (1, U16), (1, Enum16), (1, U16), (1, Enum16), (1, U16), (1, Enum16), (1, U16), (1, Enum16),
            ],
            #[cfg(test)]
            points: m704::POINTS,
        },
        Model {
            id: 713,
            at: m713::AT,
            len: 7,
            kinds: &[(4, U16), (1, Enum16), (2, Scale)],
            #[cfg(test)]
            points: m713::POINTS,
        },
        Model {
            id: 715,
            at: m715::AT,
            len: 7,
            kinds: &[(1, Enum16), (2, U32), (1, U16), (1, Enum16)],
            #[cfg(test)]
            points: m715::POINTS,
        },
        Model {
            id: 802,
            at: m802::AT,
            len: 62,
            kinds: &[
                (12, U16), (1, U32), (2, Enum16), (3, U16), (3, Enum16), (1, U32), (4, Bits32), (10, U16), (1, I16),
                (2, U16), (1, I16), (1, Enum16), (1, I16), (2, Enum16), (12, Scale),
            ],
            #[cfg(test)]
            points: m802::POINTS,
        },
    ]
};

/// Registers of the whole map: marker, models, end model.
pub(crate) const MAP_LEN: u16 = m802::AT + 2 + 62 + 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_begins_where_the_one_before_it_ends_and_has_its_length() {
        let mut at = 2;
        for model in MODELS {
            assert_eq!(model.at, at, "model {}", model.id);
            let len: u16 = model.kinds.iter().map(|(times, kind)| times * kind.len()).sum();
            assert_eq!(len, model.len, "model {}", model.id);
            at += 2 + model.len;
        }
        assert_eq!(at + 2, MAP_LEN);
    }

    #[test]
    fn every_named_point_stands_where_its_model_has_one_of_its_type() {
        for model in MODELS {
            let mut places = Vec::new();
            let mut at = model.at + 2;
            for (times, kind) in model.kinds {
                for _ in 0..*times {
                    places.push(Point { at, kind: *kind });
                    at += kind.len();
                }
            }
            for point in model.points {
                assert!(places.contains(point), "model {} has no {point:?}", model.id);
            }
        }
    }
}
