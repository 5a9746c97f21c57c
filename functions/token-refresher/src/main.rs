//! `token-refresher`: tokens are renewed ahead of their end, and what ends is announced.

use std::process::ExitCode;

use itsm_connector::{hosts, wiring};

fn main() -> ExitCode {
    hosts::run_timer(wiring::token_refresher)
}
