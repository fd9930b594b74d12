// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / docs: the pages of docs/ that teach are run as a reader would: their files are written, their commands run in
//! order in one directory against the real server, their outputs compared. What the marks mean: docs/STYLE.md, "Pages that
//! are run". In: the pages. Bound: [`BLOCK_SECONDS_MAX`] a block. Read next: `docs/block.rs`.

mod block;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use golem_testkit::{Server, golem_cli};
use tempfile::TempDir;

use crate::support::needs_go;
use block::{Block, Kind, Stream};

/// How long one block may take: a first build of Go's library on two busy cores takes a minute or two.
const BLOCK_SECONDS_MAX: u32 = 500;

/// A reader: a directory, a shell whose variables last, a server.
struct Reader {
    folder: TempDir,
    server: Option<Server>,
    /// What the last commands printed.
    stdout: String,
    stderr: String,
}

impl Reader {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let home = folder.path().join("home");
        std::fs::create_dir(&home)?;
        std::fs::write(folder.path().join("cwd"), home.display().to_string())?;
        std::fs::write(folder.path().join("env"), "")?;
        Ok(Self {
            folder,
            server: None,
            stdout: String::new(),
            stderr: String::new(),
        })
    }

    /// Where the reader stands: `cd` lasts from block to block.
    fn cwd(&self) -> Result<PathBuf> {
        let text = std::fs::read_to_string(self.folder.path().join("cwd"))?;
        Ok(PathBuf::from(text.trim_end()))
    }

    fn take(&mut self, block: &Block) -> Result<()> {
        match &block.kind {
            Kind::File(path) => {
                let path = self.cwd()?.join(path);
                if let Some(parent) = path.parent() {
                    std::fs::create_dir_all(parent)?;
                }
                Ok(std::fs::write(path, &block.text)?)
            }
            Kind::Server => self.serve(&block.text),
            Kind::Run { fails } => self.run(&block.text, *fails),
            Kind::Output(stream) => {
                let found = match stream {
                    Stream::Out => &self.stdout,
                    Stream::Err => &self.stderr,
                };
                ensure!(
                    block::fits(&block.text, found),
                    "the page shows\n{}\nand the command printed\n{found}",
                    block.text
                );
                Ok(())
            }
            Kind::Shown => Ok(()),
        }
    }

    /// Starts the server that the page tells to start, or kills the one that runs and starts it again on the same data.
    fn serve(&mut self, command: &str) -> Result<()> {
        let words: Vec<&str> = command.split_whitespace().collect();
        let Some(options) = words.strip_prefix(&["golem-cli", "server", "run"]) else {
            bail!("`{command}` does not start with `golem-cli server run`");
        };
        let options = options
            .strip_suffix(&["--data-dir", "data"])
            .context("the server of a page has its data in `--data-dir data`")?;
        if let Some(running) = self.server.take() {
            running.kill()?;
        }
        let server = Server::start_with(&self.folder.path().join("data"), options)?;
        self.server = Some(server);
        Ok(())
    }

    fn run(&mut self, commands: &str, fails: bool) -> Result<()> {
        let at = self.folder.path();
        let (cwd, env) = (at.join("cwd"), at.join("env"));
        // The variables of earlier blocks come with the address of a server that may have been started again since.
        let url = self.server.as_ref().map_or("", Server::url);
        let script = format!(
            "set -euo pipefail -o allexport\n. '{env}'\nGOLEM_URL='{url}'\ncd \"$(cat '{cwd}')\"\n\
             trap 'code=$?; pwd >'\\''{cwd}'\\''; {{ declare -px | grep -v \"^declare -[a-z]*r\"; declare -f; }} >'\\''{env}'\\''; exit $code' EXIT\n\
             {commands}",
            env = env.display(),
            cwd = cwd.display(),
        );
        let tools = golem_cli()?;
        let tools = tools.parent().context("where is golem-cli?")?;
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("timeout");
        command
            .arg(BLOCK_SECONDS_MAX.to_string())
            .args(["bash", "-c", &script])
            .env("PATH", format!("{}:{path}", tools.display()))
            .env("GOLEM_CONFIG_DIR", at.join("config"))
            .env("NO_COLOR", "1");
        let output = command.output().context("no bash, or no timeout")?;
        self.stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        self.stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.success() != fails,
            "{} ({})\n{}{}",
            if fails {
                "these commands should fail"
            } else {
                "these commands failed"
            },
            output.status,
            self.stdout,
            self.stderr
        );
        Ok(())
    }
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// Does everything that the page says.
fn follow(page: &str) -> Result<()> {
    if needs_go(page) {
        return Ok(());
    }
    let text = std::fs::read_to_string(docs().join(page)).context(page.to_owned())?;
    let blocks = block::read(&text).context(page.to_owned())?;
    ensure!(
        blocks.iter().any(|b| matches!(b.kind, Kind::Run { .. })),
        "docs/{page} has nothing to run"
    );
    let mut reader = Reader::new()?;
    for block in &blocks {
        reader
            .take(block)
            .with_context(|| format!("docs/{page}, line {}:\n{}", block.line, block.text))?;
    }
    Ok(())
}

/// A test for each page that is run.
macro_rules! pages {
    ($($name:ident: $page:literal,)*) => {
        /// The pages that are run.
        const PAGES: &[&str] = &[$($page),*];
        $(#[test]
        fn $name() -> Result<()> {
            follow($page)
        })*
    };
}

pages! {
    the_tutorial_is_true: "tutorial.md",
    worker_to_worker_is_true: "worker-to-worker.md",
    the_go_guide_is_true: "go-guide.md",
    what_is_durable_is_true: "durability.md",
    coming_from_golem_1_is_true: "from-golem-1.md",
}

#[test]
fn pages_with_marked_blocks_are_run() -> Result<()> {
    let mut forgotten = String::new();
    for entry in std::fs::read_dir(docs())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let text = match name.strip_suffix(".md") {
            Some(_) => std::fs::read_to_string(docs().join(&name))?,
            None => continue,
        };
        if block::has_marks(&text) && !PAGES.contains(&name.as_str()) {
            writeln!(forgotten, "docs/{name} has blocks to run and is not run")?;
        }
    }
    ensure!(forgotten.is_empty(), "{forgotten}");
    Ok(())
}
