// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / diff: what two components export and import differently, and whether callers of the one can call the other. In:
//! two components. Out: [`Diff`]. Compares meaning, not spelling or order. Never runs them. Read next: `canonical.rs`.

#![expect(
    clippy::indexing_slicing,
    reason = "arenas are indexed by the ids that they handed out"
)]

use std::collections::BTreeMap;

use wit_parser::{Function, InterfaceId, Resolve, TypeOwner, WorldItem, WorldKey};

use crate::canonical::Printer;
use crate::describe::{DescribeError, decode};

/// What happened to an item between two components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only the newer one has it.
    Added,
    /// Only the older one has it.
    Removed,
    /// Both have it, with another signature or definition.
    Changed,
}

/// A function or a type that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What happened to it.
    pub kind: Kind,
    /// `ns:pkg/interface.{function}`, or `type ns:pkg/interface.name`.
    pub item: String,
    /// What the older one says of it.
    pub before: Option<String>,
    /// What the newer one says of it.
    pub after: Option<String>,
    /// Whether somebody who calls the older one may no longer be able to.
    pub breaks: bool,
}

/// The differences of two components, each list by item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// What callers see.
    pub exports: Vec<Change>,
    /// What the component needs of others.
    pub imports: Vec<Change>,
}

impl Diff {
    /// Whether whoever can call the older one can call the newer one.
    #[must_use]
    pub fn is_compatible(&self) -> bool {
        !self
            .exports
            .iter()
            .chain(&self.imports)
            .any(|change| change.breaks)
    }

    /// Whether both export and import the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.exports.is_empty() && self.imports.is_empty()
    }
}

/// Compares two components.
///
/// An export that goes or changes breaks callers; so does a type of an imported interface that changes and that an export
/// mentions. What is added breaks nobody. A component imports only what it uses, so that imports come and go with the code.
/// Errors: [`DescribeError::NotAComponent`].
pub fn diff(older: &[u8], newer: &[u8]) -> Result<Diff, DescribeError> {
    let (before, after) = (Items::of(older)?, Items::of(newer)?);
    let exports = changes(&before.exports, &after.exports, |_, kind| {
        kind != Kind::Added
    });
    let mentioned = |item: &str| {
        let name = item.strip_prefix(TYPE).unwrap_or_default();
        let texts = || before.exports.values().chain(after.exports.values());
        !name.is_empty() && texts().any(|text| mentions(text, name))
    };
    let imports = changes(&before.imports, &after.imports, |item, kind| {
        kind == Kind::Changed && mentioned(item)
    });
    Ok(Diff { exports, imports })
}

/// What the names of types begin with.
const TYPE: &str = "type ";

/// Whether `text` has `name` as a whole word of WIT.
fn mentions(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let next = text[at + name.len()..].chars().next();
        next.is_none_or(|c| !c.is_alphanumeric() && c != '-')
    })
}

fn changes(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
    breaks: impl Fn(&str, Kind) -> bool,
) -> Vec<Change> {
    let mut items: Vec<&String> = before.keys().chain(after.keys()).collect();
    items.sort();
    items.dedup();
    items
        .into_iter()
        .filter_map(|item| {
            let (old, new) = (before.get(item), after.get(item));
            let kind = match (old, new) {
                (Some(old), Some(new)) if old == new => return None,
                (Some(_), Some(_)) => Kind::Changed,
                (Some(_), None) => Kind::Removed,
                (None, _) => Kind::Added,
            };
            Some(Change {
                kind,
                item: item.clone(),
                before: old.cloned(),
                after: new.cloned(),
                breaks: breaks(item, kind),
            })
        })
        .collect()
}

/// Functions and types of a component's world, each with its text.
struct Items {
    exports: BTreeMap<String, String>,
    imports: BTreeMap<String, String>,
}

impl Items {
    fn of(component: &[u8]) -> Result<Self, DescribeError> {
        let (resolve, world) = decode(component)?;
        let world = &resolve.worlds[world];
        let all = |items: &mut dyn Iterator<Item = (&WorldKey, &WorldItem)>| {
            let mut texts = BTreeMap::new();
            for (key, item) in items {
                add(&resolve, key, item, &mut texts);
            }
            texts
        };
        Ok(Self {
            exports: all(&mut world.exports.iter()),
            imports: all(&mut world.imports.iter()),
        })
    }
}

fn add(resolve: &Resolve, key: &WorldKey, item: &WorldItem, texts: &mut BTreeMap<String, String>) {
    let name = resolve.name_world_key(key);
    match item {
        WorldItem::Interface { id, .. } => interface(resolve, &name, *id, texts),
        WorldItem::Function(function) => {
            let text = signature(resolve, TypeOwner::None, function);
            texts.insert(name, text);
        }
        WorldItem::Type { id, .. } => {
            let printer = Printer {
                resolve,
                home: TypeOwner::None,
            };
            texts.insert(format!("{TYPE}{name}"), printer.definition(*id));
        }
    }
}

fn interface(resolve: &Resolve, name: &str, id: InterfaceId, texts: &mut BTreeMap<String, String>) {
    let home = TypeOwner::Interface(id);
    let printer = Printer { resolve, home };
    for (type_name, type_id) in &resolve.interfaces[id].types {
        let text = printer.definition(*type_id);
        texts.insert(format!("{TYPE}{name}.{type_name}"), text);
    }
    for function in resolve.interfaces[id].functions.values() {
        let text = signature(resolve, home, function);
        texts.insert(format!("{name}.{{{}}}", function.name), text);
    }
}

fn signature(resolve: &Resolve, home: TypeOwner, function: &Function) -> String {
    Printer { resolve, home }.signature(function)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
    use wit_parser::ManglingAndAbi;

    /// A component with this world, whose functions do nothing.
    fn component(wit: &str) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("x.wit", wit).unwrap();
        let world = resolve.select_world(&[package], None).unwrap();
        let mut module = wit_component::dummy_module(&resolve, world, ManglingAndAbi::Standard32);
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        ComponentEncoder::default()
            .module(&module)
            .unwrap()
            .encode()
            .unwrap()
    }

    fn shop(kinds: &str, api: &str) -> Vec<u8> {
        component(&format!(
            "package a:shop; interface kinds {{ {kinds} }}
             interface api {{ use kinds.{{kind}}; {api} }}
             world shop {{ import kinds; export api; }}"
        ))
    }

    #[track_caller]
    fn check(older: &[u8], newer: &[u8], compatible: bool, expect: &[(Kind, &str, bool)]) {
        let diff = diff(older, newer).unwrap();
        let found: Vec<_> = diff
            .exports
            .iter()
            .chain(&diff.imports)
            .map(|change| (change.kind, change.item.as_str(), change.breaks))
            .collect();
        assert_eq!(found, expect);
        assert_eq!(diff.is_compatible(), compatible);
        assert_eq!(diff.is_empty(), expect.is_empty());
    }

    const KIND: &str = "enum kind { tea, cup }";
    const SELL: &str = "sell: func(of: kind, count: u32) -> result<u64, string>;";

    #[test]
    fn the_same_component_has_no_differences() {
        check(&shop(KIND, SELL), &shop(KIND, SELL), true, &[]);
    }

    #[test]
    fn what_is_added_breaks_nobody() {
        let more = format!("{SELL} close: func();");
        let close = "a:shop/api.{close}";
        check(
            &shop(KIND, SELL),
            &shop(KIND, &more),
            true,
            &[(Kind::Added, close, false)],
        );
        check(
            &shop(KIND, &more),
            &shop(KIND, SELL),
            false,
            &[(Kind::Removed, close, true)],
        );
    }

    #[test]
    fn a_changed_signature_breaks_callers() {
        let other = SELL.replace("u32", "u64");
        let (older, newer) = (shop(KIND, SELL), shop(KIND, &other));
        check(
            &older,
            &newer,
            false,
            &[(Kind::Changed, "a:shop/api.{sell}", true)],
        );
        let changed = diff(&older, &newer).unwrap().exports.remove(0);
        assert!(changed.before.unwrap().contains("count: u32"));
        assert!(changed.after.unwrap().contains("count: u64"));
    }

    #[test]
    fn a_changed_type_breaks_callers_also_when_it_is_of_an_import() {
        let kinds = "enum kind { tea, cup, pot }";
        check(
            &shop(KIND, SELL),
            &shop(kinds, SELL),
            false,
            &[(Kind::Changed, "type a:shop/kinds.kind", true)],
        );
    }

    #[test]
    fn imports_come_and_go_freely() {
        let with = |import: &str| {
            component(&format!(
                "package a:b; interface log {{ write: func(line: string); }}
                 interface api {{ f: func(); }} world w {{ {import} export api; }}"
            ))
        };
        let write = "a:b/log.{write}";
        check(
            &with(""),
            &with("import log;"),
            true,
            &[(Kind::Added, write, false)],
        );
        check(
            &with("import log;"),
            &with(""),
            true,
            &[(Kind::Removed, write, false)],
        );
    }

    #[test]
    fn what_is_no_component_is_refused() {
        assert!(diff(b"nothing", b"nothing").is_err());
    }
}
