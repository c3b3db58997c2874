//! Where a test cuts the power or fills the disk: before each change of a file that belongs to the keys and to what a contract
//! leaves. Outside of tests it is nothing.

#[cfg(not(test))]
#[inline]
pub(crate) const fn here() -> std::io::Result<()> {
    Ok(())
}

/// The same where a full disk changes nothing any more: what was to be written is.
#[cfg(not(test))]
#[inline]
pub(crate) const fn after() -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
pub(crate) use armed::*;

#[cfg(test)]
mod armed {
    use std::cell::Cell;
    use std::io;

    /// What happens at a place.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Cut {
        /// From there on nothing reaches the disk, until the device starts anew.
        Power,
        /// So many changes find no room, and later ones do.
        Full(u32),
    }

    thread_local! {
        static PLACES: Cell<u32> = const { Cell::new(0) };
        static ARMED: Cell<Option<(u32, Cut)>> = const { Cell::new(None) };
        static DONE: Cell<bool> = const { Cell::new(false) };
    }

    /// Cuts at the place with this number from now; none cuts nowhere.
    pub(crate) fn arm(cut: Option<(u32, Cut)>) {
        PLACES.set(0);
        ARMED.set(cut);
        DONE.set(false);
    }

    /// Whether it is the power that is cut.
    pub(crate) fn is_power() -> bool {
        matches!(ARMED.get(), Some((_, Cut::Power)))
    }

    /// How many places were passed since, and whether it was cut at one.
    pub(crate) fn passed() -> (u32, bool) {
        (PLACES.get(), DONE.get())
    }

    pub(crate) fn after() -> io::Result<()> {
        match ARMED.get() {
            Some((_, Cut::Full(_))) => Ok(()),
            _ => here(),
        }
    }

    pub(crate) fn here() -> io::Result<()> {
        let place = PLACES.replace(PLACES.get() + 1);
        match ARMED.get() {
            Some((at, Cut::Power)) if place >= at => {
                DONE.set(true);
                Err(io::Error::other("the power is cut"))
            }
            Some((at, Cut::Full(times))) if (at..at + times).contains(&place) => {
                DONE.set(true);
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    }
}
