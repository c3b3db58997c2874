//! The office: takes what terminals say, keeps it, decides, and tells terminals and people.
//!
//! One process holds a data folder. One writer writes its store, in batches, and only what is
//! durable is acknowledged; readers stand beside it. See [`serve`] for how the parts are joined.

pub mod broker;
pub mod changes;
pub mod config;
pub mod ingest;
pub mod link;
pub mod lists;
pub mod office;
pub mod outbox;
pub mod pickups;
pub mod plan;
pub mod store;
pub mod terminals;
pub mod touched;
pub mod web;
pub mod writer;
