// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / archive: a whole tree of files as bytes, and back: for images of workers. In: a tree. Out: bytes.
//! Bound: [`ARCHIVE_BYTES_MAX`]. Never touches WIT. Read next: `tree.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use golem_model::Value;

use super::content::{Content, Spill};
use super::initial::InitialContent;
use super::tree::{Fault, Files, Kind, Node, ROOT};

/// Largest tree that is archived: an archive is one blob beside an image of memory.
pub(crate) const ARCHIVE_BYTES_MAX: u64 = 16 << 20;
impl Files {
    /// Nothing was ever changed: a fresh tree is the same.
    pub(crate) fn are_untouched(&self) -> bool {
        !self.lock().touched
    }

    /// The whole tree as bytes, for an image of the worker; `None` when it is larger than [`ARCHIVE_BYTES_MAX`] or has open
    /// files without a name, which an archive cannot hold. Errors: of the machine.
    pub(crate) fn archive(&self) -> Result<Option<Vec<u8>>, Fault> {
        let tree = self.lock();
        let initial = tree.nodes.values().map(|node| match &node.kind {
            Kind::File(content @ Content::Initial(_)) => content.size(),
            _ => 0,
        });
        let own = tree.bytes.saturating_sub(initial.sum());
        if own > ARCHIVE_BYTES_MAX || tree.nodes.values().any(|node| node.links == 0) {
            return Ok(None);
        }
        let mut nodes = Vec::with_capacity(tree.nodes.len());
        for (id, node) in &tree.nodes {
            let kind = match &node.kind {
                Kind::File(Content::Initial(content)) => {
                    let named = vec![
                        Value::String(content.key.clone()),
                        Value::Bool(node.read_only),
                    ];
                    Value::Variant(3, Some(Box::new(Value::Tuple(named))))
                }
                Kind::File(content) => {
                    Value::Variant(0, Some(Box::new(Value::Bytes(content.read(0, u64::MAX)?))))
                }
                Kind::Directory(entries) => {
                    let entries = entries.iter().map(|(name, id)| {
                        Value::Tuple(vec![Value::String(name.clone()), Value::U64(*id)])
                    });
                    Value::Variant(1, Some(Box::new(Value::List(entries.collect()))))
                }
                Kind::Link(target) => {
                    Value::Variant(2, Some(Box::new(Value::String(target.clone()))))
                }
            };
            nodes.push(Value::Tuple(vec![
                Value::U64(*id),
                kind,
                Value::U64(node.links),
                Value::U64(node.accessed),
                Value::U64(node.modified),
                Value::U64(node.changed),
            ]));
        }
        let all = Value::Tuple(vec![
            Value::U64(tree.next),
            Value::U64(tree.now),
            Value::List(nodes),
        ]);
        Ok(Some(all.to_bytes()))
    }

    /// Makes the tree what [`Files::archive`] had. Descriptors that are open keep their nodes. `Ok(false)`: the bytes are no
    /// archive, or one with initial files that the tree does not have, and nothing has changed. Errors: of the machine.
    pub(crate) fn unpack(&self, archive: &[u8]) -> Result<bool, Fault> {
        let mut tree = self.lock();
        let spill = Arc::clone(&tree.spill);
        let Some((next, now, mut nodes)) =
            read_archive(archive, &spill, &Self::initial_contents(&tree))?
        else {
            return Ok(false);
        };
        for (id, old) in &tree.nodes {
            if let Some(node) = nodes.get_mut(id) {
                node.open = old.open;
            }
        }
        tree.bytes = nodes
            .values()
            .map(|node| match &node.kind {
                Kind::File(content) => content.size(),
                _ => 0,
            })
            .sum();
        tree.nodes = nodes;
        tree.next = next;
        tree.now = now;
        tree.touched = true;
        Ok(true)
    }
}

type Unpacked = (u64, u64, BTreeMap<u64, Node>);

fn read_archive(
    archive: &[u8],
    spill: &Arc<Spill>,
    initial: &BTreeMap<String, Arc<InitialContent>>,
) -> Result<Option<Unpacked>, Fault> {
    let Ok(Value::Tuple(parts)) = Value::from_bytes(archive) else {
        return Ok(None);
    };
    let Ok([Value::U64(next), Value::U64(now), Value::List(list)]) = <[Value; 3]>::try_from(parts)
    else {
        return Ok(None);
    };
    let mut nodes = BTreeMap::new();
    for node in list {
        let Value::Tuple(parts) = node else {
            return Ok(None);
        };
        let Ok(
            [
                Value::U64(id),
                Value::Variant(case, Some(kind)),
                Value::U64(links),
                Value::U64(accessed),
                Value::U64(modified),
                Value::U64(changed),
            ],
        ) = <[Value; 6]>::try_from(parts)
        else {
            return Ok(None);
        };
        let mut read_only = false;
        let kind = match (case, *kind) {
            (0, Value::Bytes(bytes)) => {
                let mut content = Content::default();
                content.write(spill, 0, &bytes)?;
                Kind::File(content)
            }
            (1, Value::List(list)) => {
                let mut entries = BTreeMap::new();
                for entry in list {
                    let Value::Tuple(parts) = entry else {
                        return Ok(None);
                    };
                    let Ok([Value::String(name), Value::U64(id)]) = <[Value; 2]>::try_from(parts)
                    else {
                        return Ok(None);
                    };
                    entries.insert(name, id);
                }
                Kind::Directory(entries)
            }
            (2, Value::String(target)) => Kind::Link(target),
            (3, Value::Tuple(parts)) => {
                let Ok([Value::String(key), Value::Bool(kept)]) = <[Value; 2]>::try_from(parts)
                else {
                    return Ok(None);
                };
                let Some(content) = initial.get(&key) else {
                    return Ok(None);
                };
                read_only = kept;
                Kind::File(Content::Initial(Arc::clone(content)))
            }
            _ => return Ok(None),
        };
        nodes.insert(
            id,
            Node {
                kind,
                read_only,
                links,
                open: 0,
                accessed,
                modified,
                changed,
            },
        );
    }
    Ok(nodes.contains_key(&ROOT).then_some((next, now, nodes)))
}
