//! The office: takes what terminals say, keeps it, decides, and tells terminals and people.
//!
//! One process holds a data folder. One writer writes its store, in batches, and only what is
//! durable is acknowledged; readers stand beside it. See [`serve`] for how the parts are joined.

pub mod changes;
pub mod config;
pub mod ingest;
pub mod lists;
pub mod office;
pub mod outbox;
pub mod pickups;
pub mod store;
pub mod touched;
pub mod writer;
