// SPDX-License-Identifier: Apache-2.0
//! THE DESK / dev: builds, serves, deploys, and again after every change of a file, until Ctrl-C. In a project, out the lines of its
//! workers; what is going on goes to standard error. Bounds: `dev/watch.rs`, `dev/lines.rs`.
//! Never ends because of broken code. Read next: `dev/cycle.rs` (what happens after a change), `dev/watch.rs`.

mod cycle;
mod lines;
mod project;
#[cfg(feature = "server")]
mod serve;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use golem_client::{Client, ClientError, ErrorKind};

use self::cycle::{Cycle, Work};
use self::lines::Lines;
use self::watch::Watch;
use crate::args::Global;
use crate::build::Options;
use crate::connection;
use crate::error::Outcome;
use crate::exit;
use crate::output::Out;

/// Pause between two looks at the files. A look at a project of 1 000 files takes about 5 ms.
const LOOK: Duration = Duration::from_millis(75);
/// How long files must stay as they are before a build begins: editors write several files, or one in several steps.
const SETTLE: Duration = Duration::from_millis(50);
/// Looks after which a build begins although files still change: something may write all the time.
const SETTLE_LOOKS_MAX: usize = 40;
/// Looks at files between two looks at the list of workers.
const LOOKS_PER_LISTING: usize = 6;

/// Options of `dev`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  golem-cli dev
  golem-cli dev --reset                    workers that cannot follow an edit begin anew
  golem-cli dev --url http://localhost:9999

If no server answers at the address and it is one of this machine, dev runs one itself: its data is in `.golem/` of the project,
and it ends with dev. After a save the workers move to the new code and keep their state; a worker whose history the new code does
not repeat stays as it is, and dev says so. Lines that workers write go to standard output.")]
pub(crate) struct Args {
    /// Components of golem.yaml [default: all]
    #[arg(value_name = "COMPONENT")]
    components: Vec<String>,
    /// The manifest [default: the outermost golem.yaml, here or above]
    #[arg(short, long, value_name = "FILE")]
    app: Option<PathBuf>,
    /// Delete workers that cannot follow an edit, and create them again with the same arguments and environment
    #[arg(long)]
    reset: bool,
    /// Keep symbols and debug information
    #[arg(long)]
    debug: bool,
    /// Forbid Go to fetch modules or toolchains
    #[arg(long)]
    offline: bool,
    /// For the server that dev runs: a host that workers may send requests to, as for `server run`
    #[cfg(feature = "server")]
    #[arg(
        long,
        value_name = "HOST",
        env = "GOLEM_ALLOW_NETWORK",
        value_delimiter = ','
    )]
    allow_network: Vec<golem_server::HostRule>,
}

/// Runs until Ctrl-C. Errors: no project, no server and none can be started; everything later is shown and waited for.
pub(crate) fn run(args: Args, global: &Global, out: &Out) -> Outcome {
    // Somebody who is in the wrong directory is told before anything starts.
    let manifest = project::manifest(args.app.as_deref())?;
    let stop = Arc::new(AtomicBool::new(false));
    #[cfg(feature = "server")]
    serve::stop_at_signal(&stop)?;
    let client = connection::client(global)?;
    #[cfg(feature = "server")]
    let _server = serve::start_if_needed(&client, &manifest, args.allow_network.clone(), out)?;
    client.version()?;

    let mut lines = Lines::new(global, *out);
    let mut watch = Watch::of(&manifest);
    let mut cycle = Cycle {
        client: &client,
        out,
        options: Options {
            debug: args.debug,
            offline: args.offline,
        },
        reset: args.reset,
        chosen: args.components,
        app: args.app,
        dirty: Work::All,
        deployed: Vec::new(),
    };
    loop {
        let outcome = cycle.run(&watch, &lines);
        let mut away = false;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        match outcome {
            Ok(manifest) => watch.follow(&manifest),
            Err(failure) => {
                away = failure.exit == exit::UNREACHABLE;
                out.failure(&failure);
                out.note(if away {
                    "dev: waiting for the server, or for the next change"
                } else {
                    "dev: waiting for the next change"
                });
            }
        }
        lines.look(&client, &cycle.deployed);
        if !wait(&mut watch, &mut lines, &client, &mut cycle, away, &stop) {
            break;
        }
    }
    lines.end();
    out.note("dev: ended");
    Ok(())
}

/// Waits for a change of a file, or for a server that was away; `false` when it is time to end.
fn wait(
    watch: &mut Watch,
    lines: &mut Lines,
    client: &Client,
    cycle: &mut Cycle<'_>,
    away: bool,
    stop: &AtomicBool,
) -> bool {
    let mut looks = 0;
    loop {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        if watch.look() {
            for _ in 0..SETTLE_LOOKS_MAX {
                std::thread::sleep(SETTLE);
                if !watch.look() {
                    break;
                }
            }
            cycle.dirty.add(watch.take());
            return true;
        }
        looks += 1;
        if looks % LOOKS_PER_LISTING == 0 {
            if away && client.version().is_ok() {
                return true;
            }
            lines.look(client, &cycle.deployed);
        }
        std::thread::sleep(LOOK);
    }
}

/// Whether nobody answers at an address.
fn nobody_there(outcome: &Result<String, ClientError>) -> bool {
    matches!(outcome, Err(error) if error.kind() == ErrorKind::Unreachable)
}
