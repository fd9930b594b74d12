// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / stub naming: which name each client resource and each future has. In: the exported functions. Out:
//! [`Naming`], or the clash. Never touches files. Read next: `interface.rs`. Why: client specification §3.10.

use std::collections::HashMap;

use wit_parser::Function;

use crate::stub::error::StubError;
use crate::stub::interface::{CALL_ERROR, Flavour, Group, POLLABLE, URI, display_name};

/// Who has which name, and the names of the futures.
pub(super) struct Naming {
    /// Name in lower case → what has it. WIT names are unique without regard to case.
    pub(super) taken: HashMap<String, String>,
    /// Label of the group and function (by address in the model; a world may export one interface twice) → future.
    futures: HashMap<(String, *const Function), String>,
}

impl Naming {
    pub(super) fn new(groups: &[Group<'_>], flavour: Flavour) -> Result<Self, StubError> {
        let own: &[&str] = match flavour {
            Flavour::Trapping => &[URI, POLLABLE],
            Flavour::ErrorResults => &[URI, POLLABLE, CALL_ERROR],
        };
        let mut taken: HashMap<String, String> = own
            .iter()
            .map(|name| ((*name).to_owned(), format!("`{name}`")))
            .collect();
        let mut claim =
            |name: &str, what: String| match taken.insert(name.to_lowercase(), what.clone()) {
                Some(first) => Err(StubError::ClientClash {
                    name: name.to_owned(),
                    first,
                    second: what,
                }),
                None => Ok(()),
            };
        for group in groups {
            claim(&group.label, group.describe())?;
            for members in &group.resources {
                claim(
                    &members.name,
                    format!("resource `{}` of `{}`", members.name, group.remote),
                )?;
            }
        }
        Ok(Self {
            taken,
            futures: HashMap::new(),
        })
    }

    /// Names the futures: `future-<f>-result`, for members of a resource with a constructor `future-<r>-<f>-result`;
    /// all of those that clash get the interface's name in front.
    pub(super) fn futures(&mut self, groups: &[Group<'_>]) -> Result<(), StubError> {
        let mut wanted = Vec::new();
        for group in groups {
            for function in &group.functions {
                wanted.push((*function, group, function.name.clone()));
            }
            for members in &group.resources {
                let prefix = if members.constructor.is_some() {
                    format!("{}-", members.name)
                } else {
                    String::new()
                };
                for function in members.methods.iter().chain(&members.statics) {
                    wanted.push((
                        *function,
                        group,
                        format!("{prefix}{}", function.item_name()),
                    ));
                }
            }
        }
        wanted.retain(|(function, ..)| function.result.is_some());
        let simple = |base: &str| format!("future-{base}-result");
        let mut count = HashMap::<String, usize>::new();
        for (_, _, base) in &wanted {
            *count.entry(simple(base).to_lowercase()).or_default() += 1;
        }
        for (function, group, base) in wanted {
            let key = simple(&base).to_lowercase();
            let clash = count.get(&key).copied().unwrap_or(0) > 1 || self.taken.contains_key(&key);
            let name = if clash {
                format!("future-{}-{base}-result", group.label)
            } else {
                simple(&base)
            };
            let what = format!("the result of `{}`", group.remote(&display_name(function)));
            if let Some(first) = self.taken.insert(name.to_lowercase(), what.clone()) {
                return Err(StubError::NameClash {
                    name,
                    first,
                    second: what,
                });
            }
            self.futures
                .insert((group.label.clone(), std::ptr::from_ref(function)), name);
        }
        Ok(())
    }

    pub(super) fn future(&self, group: &Group<'_>, function: &Function) -> Option<&String> {
        self.futures
            .get(&(group.label.clone(), std::ptr::from_ref(function)))
    }
}
