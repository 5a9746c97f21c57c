//! `token-refresher`: tokens are renewed ahead of their end, and what ends is announced.

use std::process::ExitCode;
use std::sync::Arc;

use itsm_connector::hosts::{self, Function};
use itsm_connector::wiring;

fn main() -> ExitCode {
    hosts::run_timer(|settings| {
        wiring::token_refresher(settings)
            .map(|refresher| Function::TokenRefresher(Arc::new(refresher)))
    })
}
