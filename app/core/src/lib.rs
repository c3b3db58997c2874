//! The terminal's mind: events in, effects out. No I/O, no clock, no randomness of its own.

pub mod view;
