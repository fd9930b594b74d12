// SPDX-License-Identifier: Apache-2.0
//! THE JANITOR / tree: the files that tidy looks at. In: a checkout. Out: [`Tree`] of relative paths and texts. Binary files
//! are listed without text. Never follows what git ignores. Read next: `rules.rs`.

use anyhow::Context as _;
use std::fmt;
use std::path::Path;
use std::process::Command;

/// One file of the checkout.
#[derive(Debug, Clone)]
pub(crate) struct SourceFile {
    /// Path from the top of the checkout, with `/`.
    pub(crate) path: String,
    /// The text; empty for files that are not UTF-8.
    pub(crate) text: String,
}

/// The checkout as tidy sees it: tracked files and new ones that are not ignored, sorted by path.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// The files.
    pub(crate) files: Vec<SourceFile>,
}

impl Tree {
    /// Lists the checkout at `root` with git and reads each file.
    pub(crate) fn load(root: &Path) -> anyhow::Result<Self> {
        let listed = Command::new("git")
            .args([
                "ls-files",
                "--cached",
                "--others",
                "--exclude-standard",
                "-z",
            ])
            .current_dir(root)
            .output()
            .context("failed to run `git ls-files`")?;
        anyhow::ensure!(
            listed.status.success(),
            "`git ls-files` failed: {}",
            String::from_utf8_lossy(&listed.stderr)
        );
        let mut files = Vec::new();
        for path in String::from_utf8(listed.stdout)?
            .split('\0')
            .filter(|path| !path.is_empty())
        {
            // A tracked file may be gone from the working tree, and a link has no text of its own.
            let Ok(meta) = std::fs::symlink_metadata(root.join(path)) else {
                continue;
            };
            if meta.is_file() {
                let bytes = std::fs::read(root.join(path))
                    .with_context(|| format!("failed to read `{path}`"))?;
                files.push(SourceFile {
                    path: path.to_owned(),
                    text: String::from_utf8(bytes).unwrap_or_default(),
                });
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup_by(|a, b| a.path == b.path);
        Ok(Self { files })
    }

    /// The text of the file at `path`, if there is one.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files
            .iter()
            .find(|file| file.path == path)
            .map(|file| file.text.as_str())
    }
}

/// One broken rule at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Path from the top of the checkout.
    pub(crate) path: String,
    /// Line, 1-based; 0 for the whole file.
    pub(crate) line: usize,
    /// Short name of the rule.
    pub(crate) rule: &'static str,
    /// What is wrong and why it matters.
    pub(crate) text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: [{}] {}", self.path, self.rule, self.text),
            line => write!(f, "{}:{line}: [{}] {}", self.path, self.rule, self.text),
        }
    }
}
