// SPDX-License-Identifier: Apache-2.0
//! THE DESK / man: manual pages, made of the tree of commands. In a directory, out a file for each command. Read next: `args.rs`.

use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _};
use golem_model::Coded;
use serde::Serialize;

use crate::error::Outcome;
use crate::output::Out;

/// Options of `man`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  golem-cli man --output ~/.local/share/man/man1
  golem-cli man | man -l -")]
pub(crate) struct Args {
    /// Where the pages of all commands go [default: one page is printed, that of golem-cli itself]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Pages that cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManError {
    /// The disk said no.
    #[error("cannot write manual pages to `{dir}`")]
    Write {
        /// The directory.
        dir: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Coded for ManError {
    fn code(&self) -> &'static str {
        match self {
            Self::Write { .. } => "CLI-070",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Write { .. } => {
                Some("name a directory that you may write to: --output DIR".to_owned())
            }
        }
    }
}

/// What was written.
#[derive(Debug, Serialize)]
pub(crate) struct Pages {
    dir: PathBuf,
    pages: Vec<String>,
}

/// Prints one page, or writes all.
pub(crate) fn run(args: &Args, out: &Out) -> Outcome {
    let mut root = crate::args::Args::command();
    root.build();
    let Some(dir) = &args.output else {
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(root).render(&mut page);
        rendered.map_err(|source| ManError::Write {
            dir: "-".to_owned(),
            source,
        })?;
        out.data(&String::from_utf8_lossy(&page));
        return Ok(());
    };
    let mut pages = Vec::new();
    std::fs::create_dir_all(dir)
        .and_then(|()| write(&root, "golem-cli", dir, &mut pages))
        .map_err(|source| ManError::Write {
            dir: dir.display().to_string(),
            source,
        })?;
    let written = Pages {
        dir: dir.clone(),
        pages,
    };
    out.view(&written, |written| {
        format!("{}: {} pages", written.dir.display(), written.pages.len())
    });
    Ok(())
}

fn write(
    command: &Command,
    name: &str,
    dir: &Path,
    pages: &mut Vec<String>,
) -> std::io::Result<()> {
    let file = format!("{name}.1");
    let mut page = Vec::new();
    // Its title is the name with those above it, which the whole tree was given when it was built.
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    std::fs::write(dir.join(&file), page)?;
    pages.push(file);
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
    {
        write(below, &format!("{name}-{}", below.get_name()), dir, pages)?;
    }
    Ok(())
}
