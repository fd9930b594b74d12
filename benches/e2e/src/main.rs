// SPDX-License-Identifier: Apache-2.0
//! THE SCALES: measures the real server beside Restate and a floor program on the same disk, in the same run. In: `golem-cli`, the
//! guests of `benches/guests`. Out: each round, medians, ratios, JSON. Fails on a wrong count, never on a time.
//! Read next: `args.rs`, then `rows.rs` (what is measured). Why and how: benches/README.md.
#![warn(missing_docs)]

mod args;
mod exact;
mod floor;
mod goals;
mod guests;
mod history;
mod http;
mod load;
mod machine;
mod measure;
mod memory;
mod millions;
mod page;
mod peer;
mod process;
mod profile;
mod report;
mod rest;
mod rows;
mod starts;
mod steps;
mod subject;

use std::process::ExitCode;

use clap::Parser as _;

use args::Command;

fn main() -> anyhow::Result<ExitCode> {
    let args = args::Args::parse();
    let one_thread = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
    };
    match args.command {
        Some(Command::Floor(floor)) => {
            // Two threads, as the definition says; the load generator keeps to one.
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?;
            runtime.block_on(floor::serve(&floor))?;
        }
        Some(Command::Launch(launch)) => profile::launch(&launch.words)?,
        Some(Command::Peer(peer)) if peer.install => peer::install(peer.debug)?,
        Some(Command::Peer(_)) => report::say(&format!("{:?}", peer::find()?))?,
        Some(Command::Profile(profile)) => one_thread()?.block_on(profile::run(&profile))?,
        Some(Command::Page(page)) => page::write(&page)?,
        None => {
            let outcome = one_thread()?.block_on(rows::run(&args.run))?;
            let missed = args.run.gate && !goals::missed_gates(&outcome.rows).is_empty();
            if outcome.exactness.wrong > 0 || missed {
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
