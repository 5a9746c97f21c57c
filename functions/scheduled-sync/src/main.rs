//! `scheduled-sync`: records of the ITSM product go to Log Analytics. It has nothing to do yet in this version, and says so.

use std::convert::Infallible;
use std::process::ExitCode;

use itsm_connector::hosts::{self, Function};

fn main() -> ExitCode {
    hosts::run(|_| {
        Ok::<_, Infallible>(Function::NothingYet {
            name: "scheduled-sync",
        })
    })
}
