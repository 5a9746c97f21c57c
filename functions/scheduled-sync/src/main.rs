//! `scheduled-sync`: records that changed in the ITSM product go to Log Analytics.

use std::process::ExitCode;

use itsm_connector::{hosts, wiring};

fn main() -> ExitCode {
    hosts::run_timer(wiring::scheduled_sync)
}
