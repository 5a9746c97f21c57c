//! Ctrl-C in a long night: what runs is ended, and the report comes. A second one ends the program.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit status of a program that was interrupted.
const INTERRUPTED: i32 = 130;

/// Whether somebody wants it to end.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens for Ctrl-C from now on.
    #[expect(
        clippy::disallowed_methods,
        reason = "it listens for as long as the program runs"
    )]
    pub fn on_ctrl_c() -> Self {
        let stop = Self::default();
        let asked = Arc::clone(&stop.0);
        std::thread::spawn(move || listen(&asked));
        stop
    }

    /// True once it was asked for.
    pub fn is_asked_for(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Without a runtime or a signal to listen to, Ctrl-C ends the program at once, as it always does.
fn listen(asked: &AtomicBool) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build();
    if let Ok(runtime) = runtime {
        runtime.block_on(async {
            while tokio::signal::ctrl_c().await.is_ok() {
                if asked.swap(true, Ordering::Relaxed) {
                    std::process::exit(INTERRUPTED);
                }
            }
        });
    }
}
