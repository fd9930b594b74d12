// SPDX-License-Identifier: Apache-2.0
//! THE SCALES: measures the real server against a floor program on the same disk, in the same run. In: `golem-cli`, the guests
//! of `benches/guests`. Out: each round, medians, ratios, one JSON line. Fails on a wrong count, never on a time.
//! Read next: `args.rs`, then `rows.rs` (what is measured). Why and how: benches/README.md.
#![warn(missing_docs)]

mod args;
mod exact;
mod floor;
mod guests;
mod http;
mod load;
mod measure;
mod memory;
mod millions;
mod process;
mod report;
mod rest;
mod rows;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> anyhow::Result<ExitCode> {
    match args::Args::parse().command {
        Some(args::Command::Floor(floor)) => {
            // Two threads, as the definition says; the load generator keeps to one.
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?;
            runtime.block_on(floor::serve(&floor))?;
            Ok(ExitCode::SUCCESS)
        }
        None => {
            let args = args::Args::parse().run;
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let wrong = runtime.block_on(rows::run(&args))?;
            Ok(if wrong == 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
    }
}
