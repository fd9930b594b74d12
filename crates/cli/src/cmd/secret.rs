// SPDX-License-Identifier: Apache-2.0
//! THE DESK / secret: values that components refer to by name. In names, and values from standard input or a file, never from the
//! command line, which others can see. Out names and versions; no value is ever printed. Read next: golem-engine `secrets.rs`.

use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;

use golem_model::Coded;
use golem_model::api::SecretInfo;
use golem_model::capabilities::SECRET_BYTES_MAX;

use crate::args::Global;
use crate::connection;
use crate::error::{Failure, Outcome};
use crate::exit;
use crate::output::Out;
use crate::view::{moment, table};

/// Options of `secret`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What to do with secrets.
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "Examples:
  golem-cli secret set api-key < key.txt
  golem-cli secret list
  golem-cli secret delete api-key

A component refers to it in golem.yaml:
  capabilities:
    env:
      API_KEY: { secret: api-key }";

/// What to do with secrets.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Set a secret: its next version. Workers that are there keep theirs until they are updated
    #[command(
        after_help = "Examples:\n  golem-cli secret set api-key < key.txt\n  golem-cli secret set api-key --file key.txt\n  printf %s \"$API_KEY\" | golem-cli secret set api-key"
    )]
    Set(Set),
    /// List secrets, without their values
    #[command(after_help = "Example:\n  golem-cli secret list")]
    List,
    /// Delete all versions of a secret; workers that need it do not start any more
    #[command(after_help = "Example:\n  golem-cli secret delete api-key")]
    Delete(Delete),
}

/// Options of `secret set`.
#[derive(Debug, clap::Args)]
struct Set {
    /// Its name: lower-case letters, digits, `-`, `_` and `.`
    name: String,
    /// The file with the value [default: standard input]; one line end at its end does not count
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Options of `secret delete`.
#[derive(Debug, clap::Args)]
struct Delete {
    /// Its name
    name: String,
}

/// Why there is no value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ValueError {
    /// Standard input is a terminal, which shows what is typed.
    #[error("the value of `{name}` is read from standard input, which is a terminal")]
    Terminal {
        /// The secret.
        name: String,
    },
    /// The file cannot be read.
    #[error("cannot read the value of a secret from `{path}`")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Coded for ValueError {
    fn code(&self) -> &'static str {
        match self {
            Self::Terminal { .. } => "CLI-040",
            Self::Read { .. } => "CLI-041",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Terminal { name } => format!("golem-cli secret set {name} < FILE"),
            Self::Read { .. } => "golem-cli secret set NAME --file FILE".to_owned(),
        })
    }
}

/// Runs the verb.
pub(crate) fn run(args: Args, global: &Global, out: &Out) -> Outcome {
    let client = connection::client(global)?;
    match args.verb {
        Verb::Set(set) => {
            let value = value(&set)?;
            let info = client.set_secret(&set.name, value)?;
            out.view(&info, |info| {
                format!("Set {}, version {}", info.name, info.version)
            });
        }
        Verb::List => out.view(&client.secrets()?, |secrets| list(secrets)),
        Verb::Delete(delete) => {
            let info = client.delete_secret(&delete.name)?;
            out.view(&info, |info| format!("Deleted {}", info.name));
        }
    }
    Ok(())
}

fn value(set: &Set) -> Result<Vec<u8>, Failure> {
    let failed = |path: &str| {
        let path = path.to_owned();
        move |source| Failure::from(ValueError::Read { path, source })
    };
    let mut value = Vec::new();
    match &set.file {
        Some(path) => {
            let shown = path.display().to_string();
            value = std::fs::read(path).map_err(failed(&shown))?;
        }
        None if std::io::stdin().is_terminal() => {
            let name = set.name.clone();
            return Err(Failure::from(ValueError::Terminal { name }).with_exit(exit::USAGE));
        }
        None => {
            // One byte more than may be: the server says that it is too long.
            let mut input = std::io::stdin().lock().take(SECRET_BYTES_MAX as u64 + 3);
            input.read_to_end(&mut value).map_err(failed("-"))?;
        }
    }
    for end in ["\n", "\r"] {
        if value.ends_with(end.as_bytes()) {
            value.pop();
        }
    }
    Ok(value)
}

fn list(secrets: &[SecretInfo]) -> String {
    let rows = secrets.iter().map(|secret| {
        vec![
            secret.name.clone(),
            secret.version.to_string(),
            moment(secret.set_at),
        ]
    });
    table(&["Name", "Version", "Set at"], rows)
}
