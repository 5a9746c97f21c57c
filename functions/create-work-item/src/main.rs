//! `create-work-item`: alerts of Azure Monitor become work items, once.

use std::process::ExitCode;

use itsm_connector::{hosts, wiring};

fn main() -> ExitCode {
    hosts::run(wiring::create_work_item)
}
