//! Building blocks that programs are made of.

pub mod pid;
