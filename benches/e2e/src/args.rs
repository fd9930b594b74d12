// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / args: the command line. In words, out [`Args`]. Never starts anything. Read next: `rows.rs`.

use std::path::PathBuf;

use crate::rows::RowId;

/// Measures golem-cli's server beside Restate and a floor program on the same disk.
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
    /// Become another program that cannot ask the system for the auxiliary vector
    #[command(hide = true)]
    Launch(Launch),
    /// Fetch Restate from npm into `.tools/peer` and build the service that it calls; or tell what is there
    Peer(Peer),
    /// Count the instructions of the hot path: the same figures on every run, and where they are spent
    Profile(Profile),
    /// Write the tables of docs/performance.md from the JSON of runs
    Page(Page),
}

/// Options of `launch`.
#[derive(Debug, clap::Args)]
pub(crate) struct Launch {
    /// The program and its words
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<String>,
}

/// Options of `peer`.
#[derive(Debug, clap::Args)]
pub(crate) struct Peer {
    /// Fetch and build
    #[arg(long)]
    pub(crate) install: bool,
    /// Build the service without optimisation: quick, and not for comparing
    #[arg(long, requires = "install")]
    pub(crate) debug: bool,
}

/// Options of `profile`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  golem-bench profile --calls 500 --json profile.json")]
pub(crate) struct Profile {
    /// Calls whose instructions are counted
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) calls: u64,
    /// Functions that are shown of each operation
    #[arg(long, default_value_t = 20)]
    pub(crate) top: usize,
    /// The program to measure; the one beside this program if not given
    #[arg(long)]
    pub(crate) golem_cli: Option<PathBuf>,
    /// Where data and profiles go; `profile-run` beside this program if not given; emptied first
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// Also write the counts, one JSON object, to this file
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
}

/// Options of `page`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  golem-bench page --from benches/results/*.json")]
pub(crate) struct Page {
    /// JSON of runs; a row of a later file stands in the place of the same row of an earlier one
    #[arg(long, required = true, num_args = 1..)]
    pub(crate) from: Vec<PathBuf>,
    /// The page; what stands under its heading `Measured` is replaced [default: docs/performance.md]
    #[arg(long)]
    pub(crate) into: Option<PathBuf>,
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
    /// Alternating rounds (ours, peers, floor) of each row
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Length of a round, after the warm-up
    #[arg(long, default_value_t = 2.5)]
    pub(crate) seconds: f64,
    /// Warm-up before each round, not counted
    #[arg(long, default_value_t = 0.7)]
    pub(crate) warmup: f64,
    /// Workers of inv-many, cpu-per-inv, rpc-many and durability-tax. The definition says 10000; a Go instance takes about 1 MiB while it is
    /// in memory
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) workers: u64,
    /// First calls on new workers in one round of cold
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) cold: u64,
    /// Workers of each kind that stay in memory in density
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) density: u64,
    /// Evicted workers in density, after half as many that do not count
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(2..))]
    pub(crate) evicted: u64,
    /// Workers in the store of known, and at most in grow
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) known: u64,
    /// Numbers of workers in recover, separated by commas
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000])]
    pub(crate) recover: Vec<u64>,
    /// Workers that sleep at once in suspend
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) naps: u64,
    /// Measure without the peer
    #[arg(long)]
    pub(crate) no_peer: bool,
    /// Fail if a gate is missed that is a ratio or a number of bytes; gates of time never fail
    #[arg(long)]
    pub(crate) gate: bool,
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
