//! What terminals say: read, decided about, written.

pub mod decide;
