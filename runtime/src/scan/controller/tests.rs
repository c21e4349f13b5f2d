//! The controller in virtual time: tables that read like the plant's story.

mod demo;
mod invariants;
mod lab;
mod overrun;
mod periods;
mod quarantine;
mod story;
