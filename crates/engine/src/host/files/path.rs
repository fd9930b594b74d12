// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / path: from a path of a guest to a place in its tree. A path never leads above the directory that it starts
//! in, also not through a link. Bound: [`LINKS_MAX`], [`NAME_BYTES_MAX`], [`PATH_BYTES_MAX`]. Read next: `tree.rs`.

use std::collections::VecDeque;

use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::tree::{Fault, Kind, Tree};

/// Longest name of a file, in bytes: as on Linux, which guests expect.
const NAME_BYTES_MAX: usize = 255;
/// Longest path, in bytes: as on Linux.
const PATH_BYTES_MAX: usize = 4096;
/// Most links that one path may lead through: as on Linux.
const LINKS_MAX: u32 = 40;

/// Where a path leads.
#[derive(Debug)]
pub(super) struct Place {
    /// The directory that has, or would have, the entry.
    pub(super) directory: u64,
    /// Name of the entry; `None` when the path ends in a directory itself (`.`, `..`, or nothing).
    pub(super) name: Option<String>,
    /// What is there.
    pub(super) found: Option<u64>,
    /// The path says that it is a directory: it ends in `/`.
    pub(super) must_be_directory: bool,
}

impl Place {
    /// What is there. Errors: `NoEntry`; `NotDirectory` when the path says that it is one.
    pub(super) fn existing(&self, tree: &Tree) -> Result<u64, Fault> {
        let found = self.found.ok_or(ErrorCode::NoEntry)?;
        if self.must_be_directory {
            tree.entries(found)?;
        }
        Ok(found)
    }

    /// The name of an entry that is made or removed. Errors: `Exist` or `Invalid` when the path names no entry.
    pub(super) fn entry(&self, otherwise: ErrorCode) -> Result<&str, Fault> {
        Ok(self.name.as_deref().ok_or(otherwise)?)
    }
}

/// Follows `path` from the directory `base`. `follow`: a link at the end is followed too.
pub(super) fn resolve(tree: &Tree, base: u64, path: &str, follow: bool) -> Result<Place, Fault> {
    if path.is_empty() {
        return Err(ErrorCode::NoEntry.into());
    }
    if path.len() > PATH_BYTES_MAX {
        return Err(ErrorCode::NameTooLong.into());
    }
    if path.contains('\0') {
        return Err(ErrorCode::Invalid.into());
    }
    if path.starts_with('/') {
        return Err(ErrorCode::NotPermitted.into());
    }
    let mut must_be_directory = path.ends_with('/');
    let mut parts: VecDeque<String> = path.split('/').map(str::to_owned).collect();
    let mut above: Vec<u64> = Vec::new();
    let mut directory = base;
    let mut links = 0;
    while let Some(part) = parts.pop_front() {
        let entries = tree.entries(directory)?;
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                directory = above.pop().ok_or(ErrorCode::NotPermitted)?;
                continue;
            }
            _ => {}
        }
        if part.len() > NAME_BYTES_MAX {
            return Err(ErrorCode::NameTooLong.into());
        }
        let last = parts.iter().all(|rest| rest.is_empty());
        let found = entries.get(&part).copied();
        if let Some(id) = found
            && let Kind::Link(target) = &tree.node(id)?.kind
            && (!last || follow || must_be_directory)
        {
            links += 1;
            if links > LINKS_MAX {
                return Err(ErrorCode::Loop.into());
            }
            if target.starts_with('/') {
                return Err(ErrorCode::NotPermitted.into());
            }
            must_be_directory |= last && target.ends_with('/');
            for part in target.split('/').rev() {
                parts.push_front(part.to_owned());
            }
            continue;
        }
        if last {
            return Ok(Place {
                directory,
                name: Some(part),
                found,
                must_be_directory,
            });
        }
        above.push(directory);
        directory = found.ok_or(ErrorCode::NoEntry)?;
    }
    tree.entries(directory)?;
    Ok(Place {
        directory,
        name: None,
        found: Some(directory),
        must_be_directory: true,
    })
}
