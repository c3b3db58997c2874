//! The terminal's body: what [`meguri_core`] decides is done here. The store keeps it, the link
//! carries it, and where a display is, screens show it.

mod around;
pub mod body;
mod clock;
pub mod console;
mod cut;
pub mod enrol;
pub mod identity;
mod link;
pub mod office;

#[cfg(feature = "screen")]
pub mod screen;
pub mod signals;
pub mod store;
pub mod vault;
