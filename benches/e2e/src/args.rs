// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / args: the command line. In words, out [`Args`]. Never starts anything. Read next: `rows.rs`.

use std::path::PathBuf;

use crate::rows::RowId;

/// Measures golem-cli's server against a floor program on the same disk.
#[derive(Debug, clap::Parser)]
#[command(name = "golem-bench", args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    /// Another job than measuring.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// How to measure.
    #[command(flatten)]
    pub(crate) run: Run,
}

/// Other jobs of this program.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Be the floor program: group commit of 200-byte records to one file
    #[command(hide = true)]
    Floor(Floor),
}

/// Options of the floor program.
#[derive(Debug, clap::Args)]
pub(crate) struct Floor {
    /// Port to listen on, on 127.0.0.1
    #[arg(long)]
    pub(crate) port: u16,
    /// The log file; made and filled with zeros if it is not there
    #[arg(long)]
    pub(crate) file: PathBuf,
    /// Size of the log file in MiB
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u64).range(2..))]
    pub(crate) mib: u64,
}

/// Options of a measurement.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  golem-bench --only inv-seq,rpc-seq --rounds 3 --seconds 2 --json out.json"
)]
pub(crate) struct Run {
    /// Rows to measure, separated by commas; all if not given
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<RowId>,
    /// Alternating rounds (ours, floor) of each row
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Length of a round, after the warm-up
    #[arg(long, default_value_t = 2.5)]
    pub(crate) seconds: f64,
    /// Warm-up before each round, not counted
    #[arg(long, default_value_t = 0.7)]
    pub(crate) warmup: f64,
    /// Workers of inv-many, cpu-per-inv and recover. The definition says 10000; a Go instance takes about 1 MiB while it is
    /// in memory
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) workers: u64,
    /// First calls on new workers in one round of cold
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) cold: u64,
    /// Workers of each kind in density
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) density: u64,
    /// Workers in the store of known
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) known: u64,
    /// The program to measure; the one beside this program if not given
    #[arg(long)]
    pub(crate) golem_cli: Option<PathBuf>,
    /// Where data directories and built guests go: on the disk to be measured, not on tmpfs. `bench-run` beside this
    /// program if not given; emptied first
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// Also write the result, one JSON object, to this file
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
}
