//! `scheduled-sync`: records that changed in the ITSM product go to Log Analytics.

use std::process::ExitCode;
use std::sync::Arc;

use itsm_connector::hosts::{self, Function};
use itsm_connector::wiring;

fn main() -> ExitCode {
    hosts::run_timer(|settings| {
        wiring::scheduled_sync(settings).map(|syncer| Function::ScheduledSync(Arc::new(syncer)))
    })
}
