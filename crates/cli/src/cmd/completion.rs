// SPDX-License-Identifier: Apache-2.0
//! THE DESK / completion: the completion script of a shell, printed, or put where the shell looks for it. In a shell's name, out a
//! script. Never changes a file that the user wrote.

use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_complete::Shell;
use golem_model::Coded;
use serde::Serialize;

use super::classic::classic;
use crate::{error::Outcome, output::Out};

/// Options of `completion`.
#[derive(Debug, clap::Args)]
#[group(id = "what", required = true, multiple = false, args = ["generate", "install"])]
#[command(after_help = "Examples:
  golem-cli completion --install bash
  golem-cli completion --generate zsh > ~/.zfunc/_golem-cli")]
pub(crate) struct Args {
    /// Print the script for this shell
    #[arg(long, value_enum, value_name = "SHELL")]
    generate: Option<Shell>,
    /// Put the script where this shell looks for it
    #[arg(long, value_enum, value_name = "SHELL")]
    install: Option<Shell>,
}

/// A script that cannot be put in its place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompletionError {
    /// The place depends on the user's home.
    #[error("no place for the completions of {shell}: HOME is not set")]
    NoHome {
        /// The shell.
        shell: Shell,
    },
    /// The disk said no.
    #[error("cannot write the completions of {shell} to `{path}`")]
    Write {
        /// The shell.
        shell: Shell,
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Coded for CompletionError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoHome { .. } => "CLI-071",
            Self::Write { .. } => "CLI-072",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoHome { shell } | Self::Write { shell, .. } => format!(
                "print it, and put it where you want: golem-cli completion --generate {shell} > FILE"
            ),
        })
    }
}

/// What was put where.
#[derive(Debug, Serialize)]
pub(crate) struct Installed {
    shell: String,
    path: PathBuf,
    /// What is left to do, if anything.
    next: Option<String>,
}

/// Prints or installs the script.
pub(crate) fn run(args: &Args, out: &Out) -> Outcome {
    match (args.install, args.generate) {
        (Some(shell), _) => classic(install(shell, out)),
        (None, Some(shell)) => {
            out.data(&script(shell));
            Ok(())
        }
        // The options are a group of which one is required.
        (None, None) => Ok(()),
    }
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    let mut command = crate::args::Args::command();
    clap_complete::generate(shell, &mut command, "golem-cli", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

fn install(shell: Shell, out: &Out) -> Outcome {
    let (path, next) = place(shell).ok_or(CompletionError::NoHome { shell })?;
    let write = || {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        std::fs::write(&path, script(shell))
    };
    write().map_err(|source| CompletionError::Write {
        shell,
        path: path.display().to_string(),
        source,
    })?;
    let installed = Installed {
        shell: shell.to_string(),
        path,
        next,
    };
    out.view(&installed, |installed| {
        let mut text = format!("Installed {}\n", installed.path.display());
        if let Some(next) = &installed.next {
            text.push_str(&format!("{next}\n"));
        }
        text
    });
    Ok(())
}

/// Where a shell looks for the completions of a user, and what the user has to add to the shell's own file.
fn place(shell: Shell) -> Option<(PathBuf, Option<String>)> {
    let set = |name: &str| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    };
    let home = set("HOME");
    let below_home = |rest: &str| home.as_ref().map(|home| home.join(rest));
    let data = || set("XDG_DATA_HOME").or_else(|| below_home(".local/share"));
    let config = || set("XDG_CONFIG_HOME").or_else(|| below_home(".config"));
    Some(match shell {
        Shell::Bash => (data()?.join("bash-completion/completions/golem-cli"), None),
        Shell::Fish => (config()?.join("fish/completions/golem-cli.fish"), None),
        Shell::Zsh => (
            below_home(".zfunc/_golem-cli")?,
            Some("Add to ~/.zshrc: fpath+=~/.zfunc; autoload -Uz compinit && compinit".to_owned()),
        ),
        Shell::Elvish => (
            config()?.join("elvish/lib/golem-cli.elv"),
            Some("Add to rc.elv: use golem-cli".to_owned()),
        ),
        Shell::PowerShell => {
            let path = config()?.join("powershell/golem-cli.ps1");
            let next = format!("Add to $PROFILE: . {}", path.display());
            (path, Some(next))
        }
        // The list of shells is open; one that is new has no place here yet.
        _ => return None,
    })
}
