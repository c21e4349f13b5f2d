//! The grid connection: what the site takes from it and gives to it.

pub mod self_consumption;
