//! The whole system at work: a demo day, simulated crews, and the tools by which tests break things on purpose.

pub mod bench;
pub mod crew;
pub mod day;
pub mod demo;
pub mod fleet;
pub mod harness;
pub mod rehearsal;
