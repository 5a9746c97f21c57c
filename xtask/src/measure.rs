//! `measure`: the figures of `docs/performance.md`, taken from the binaries that are shipped.
//!
//! Everything that a figure is compared with is measured in the same run by the same client. Nothing here fails because
//! a figure misses its aim: timings are never tests.

mod alerts;
mod bench;
mod build;
mod client;
mod cold_start;
mod memory;
mod overhead;
mod process;
mod product;
mod runtime_api;
mod samples;
mod table;
mod throughput;

use table::Table;

use crate::report;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Effort {
    starts: usize,
    alerts: usize,
    storm: usize,
    storm_on_disk: usize,
    senders: usize,
}

const FULL: Effort = Effort {
    starts: 60,
    alerts: 1_000,
    storm: 5_000,
    storm_on_disk: 1_000,
    senders: 200,
};

const QUICK: Effort = Effort {
    starts: 6,
    alerts: 100,
    storm: 500,
    storm_on_disk: 100,
    senders: 20,
};

/// What can be measured by itself.
const PARTS: [&str; 5] = ["sizes", "starts", "answers", "memory", "storms"];

/// Runs the command.
pub(crate) fn run(options: &[&str]) -> Result<(), String> {
    let mut json = false;
    let mut effort = FULL;
    let mut parts = PARTS.to_vec();
    for option in options {
        match *option {
            "--json" => json = true,
            "--quick" => effort = QUICK,
            part if PARTS.contains(&part) => {
                if parts.len() == PARTS.len() {
                    parts.clear();
                }
                parts.push(part);
            }
            other => return Err(format!("measure: unknown option `{other}`")),
        }
    }
    let table = measured(effort, &parts)?;
    report::data(&if json { table.json() } else { table.text() })
}

fn measured(effort: Effort, parts: &[&str]) -> Result<Table, String> {
    let built = build::functions()?;
    let function = built.create_work_item();
    let bench = bench::Bench::new()?;
    let mut table = Table::new(effort.starts == FULL.starts);
    for part in parts {
        report::told(&format!("{part} …"));
        let rows = match *part {
            "sizes" => build::sizes(&built),
            "starts" => cold_start::measure(function, &bench, effort.starts),
            "answers" => overhead::measure(function, &bench, effort.alerts),
            "memory" => memory::measure(function, &bench, effort.alerts),
            _ => throughput::measure(function, &bench, &effort),
        };
        rows?.into_iter().for_each(|row| table.push(row));
    }
    Ok(table)
}
