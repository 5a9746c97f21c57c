//! `create-work-item`: alerts of Azure Monitor become work items, once.

use std::process::ExitCode;
use std::sync::Arc;

use itsm_connector::hosts::{self, Function};
use itsm_connector::wiring;

fn main() -> ExitCode {
    hosts::run(|settings| {
        wiring::create_work_item(settings).map(|intake| Function::CreateWorkItem(Arc::new(intake)))
    })
}
