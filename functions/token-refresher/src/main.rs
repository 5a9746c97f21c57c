//! `token-refresher`: tokens are renewed ahead of their end. It has nothing to do yet in this version, and says so.

use std::convert::Infallible;
use std::process::ExitCode;

use itsm_connector::hosts::{self, Function};

fn main() -> ExitCode {
    hosts::run(|_| {
        Ok::<_, Infallible>(Function::NothingYet {
            name: "token-refresher",
        })
    })
}
