//! The signals by which a system ends a program.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Waits, on the calling thread, for SIGINT or SIGTERM.
///
/// # Errors
/// When the system does not let them be waited for.
pub fn wait_for_stop() -> io::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}
