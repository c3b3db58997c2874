//! Speed, known: figures measured on this machine, each beside its limit or its peer in the same run.
//!
//! One module a group of figures; a group is a function from [`Setting`] to rows. The program `bench` runs them,
//! prints one table and writes it as JSON.

pub mod configurations;
pub mod confirm;
pub mod drain;
pub mod import;
pub mod ingest;
pub mod line;
pub mod load;
pub mod lte;
pub mod machine;
pub mod pages;
pub mod process;
pub mod renewals;
pub mod row;
pub mod stage;
pub mod tablet;
pub mod tap;
pub mod terminals;

use std::path::PathBuf;

pub use row::{Kind, Row};

/// Where and how figures are measured.
#[derive(Debug, Clone)]
pub struct Setting {
    /// A folder of this run; groups make folders of their own in it.
    pub dir: PathBuf,
    /// A folder that outlives runs, for what takes long to make.
    pub cache: PathBuf,
}

/// A group of figures: its name, what it is about, and what measures it.
pub type Group = (&'static str, &'static str, fn(&Setting) -> anyhow::Result<Vec<Row>>);

/// Every group, in the order of the table.
pub const GROUPS: &[Group] = &[
    ("ingest", "durable acknowledged facts a second", ingest::measure),
    ("tap", "from the tap to the disk and to the browser", tap::measure),
    ("confirm", "a sealed confirmation on the terminal's disk, beside one in plain", confirm::measure),
    ("offline", "60 days offline", drain::measure),
    ("terminals", "2,000 terminals connected", terminals::measure),
    ("renewals", "2,000 terminals renew their certificates while others work", renewals::measure),
    ("configurations", "a switchover's bundles: built, signed, pushed, verified", configurations::measure),
    ("tablet", "the tablet in a real window, beside Chromium", tablet::measure),
    ("import", "a file of 100,000 requests", import::measure),
    ("pages", "pages and search on a year of a large city", pages::measure),
];
