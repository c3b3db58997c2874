//! The office: takes what terminals say, keeps it, decides, and tells terminals and people.
//!
//! One process holds a data folder. One writer writes its store, in batches, and only what is
//! durable is acknowledged; readers stand beside it. See [`serve`] for how the parts are joined.

pub mod audit;
pub mod backup;
pub mod broker;
pub mod ca;
pub mod catalogue;
pub mod changes;
pub mod cli;
pub mod config;
pub mod control;
pub mod crew;
mod direction;
pub mod doctor;
pub mod door;
pub mod encoding;
pub mod enrol;
pub mod export;
pub mod exposure;
pub mod import;
pub mod ingest;
pub mod link;
pub mod lists;
pub mod logs;
pub mod lost;
pub mod notices;
pub mod office;
pub mod ops;
pub mod outbox;
pub mod people;
pub mod pickups;
pub mod plan;
pub mod register;
pub mod retention;
mod room;
pub mod schedules;
pub mod serve;
pub mod store;
mod subject;
pub mod switchover;
pub mod systemd;
pub mod terminals;
pub mod tls;
pub mod touched;
pub mod trust;
pub mod vitals;
pub mod watch;
pub mod web;
pub mod writer;
