//! The tablet's screens, as the Slint compiler makes them from the `.slint` files beside `src`.
//!
//! A package of its own, so that a change in the terminal does not compile the screens again, and
//! so that code made by a compiler stands apart from code that people wrote.

slint::include_modules!();
