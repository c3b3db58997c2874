//! Configurations people write and review: a city's plan of contractors, contracts, vehicles and
//! districts, and each terminal's own settings.
//!
//! Both are TOML. A field that is not known is refused with its file, line and column; so is a
//! value outside its bounds and a reference to something that does not exist.

pub mod bundle;
pub mod city;
pub mod clock;
pub mod dsse;
pub mod ed25519;
pub mod fleet;
pub mod keys;
mod many;
mod plain;
pub mod plan;
mod read;
mod refused;
pub mod release;
pub mod schedule;
mod shell;
pub mod stick;
pub mod terminal;

pub use bundle::{Bundle, Configuration};
pub use city::City;
pub use clock::{Clock, Judge};
pub use fleet::Fleet;
pub use keys::KeySet;
pub use many::Many;
pub use plain::is_plain;
pub use read::{ConfigError, Place, Wrong, told};
pub use refused::Refused;
pub use release::{Release, ReleaseWriter};
pub use shell::shell_word;
pub use stick::Stick;
pub use terminal::Terminal;
