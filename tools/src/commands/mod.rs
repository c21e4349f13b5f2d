//! The subcommands, one a file.

#[cfg(feature = "demo")]
pub(crate) mod bench;
pub(crate) mod check;
#[cfg(feature = "demo")]
pub(crate) mod demo;
pub(crate) mod run;
#[cfg(feature = "demo")]
pub(crate) mod simulate;
