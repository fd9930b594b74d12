// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / files/look: what is at a path of a worker's tree, for people. In: a path from the root on. Out: a directory's
//! entries, or a file that can be read. Never changes the tree. Read next: `tree.rs`, `../../node/files.rs`.

use std::sync::Arc;

use super::tree::{Attributes, Fault, Files, OpenWith, Opened};

/// What is at a path.
#[derive(Debug)]
pub(crate) enum Seen {
    /// A directory: names and attributes of its entries, by name. A link has those of what it leads to, or its own.
    Directory(Vec<(String, Attributes)>),
    /// A file.
    File(Arc<Opened>, Attributes),
}

impl Files {
    /// What is at `path`, which begins at the root with or without a `/`. Links are followed. Errors: as for guests.
    pub(crate) fn look(&self, path: &str) -> Result<Seen, Fault> {
        let root = self.root()?;
        let path = path.trim_start_matches('/');
        let found = if path.is_empty() {
            root
        } else {
            let with = OpenWith {
                follow: true,
                ..OpenWith::default()
            };
            root.open(path, with)?
        };
        let attributes = found.attributes()?;
        if !attributes.directory {
            return Ok(Seen::File(found, attributes));
        }
        let mut entries = found.list()?;
        for (name, attributes) in &mut entries {
            if attributes.link
                && let Ok(target) = found.attributes_at(name, true)
            {
                *attributes = target;
            }
        }
        Ok(Seen::Directory(entries))
    }
}
