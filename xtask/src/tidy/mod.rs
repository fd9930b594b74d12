// SPDX-License-Identifier: Apache-2.0
//! THE JANITOR / tidy: the house rules that a compiler does not check. In: the texts of the checkout. Out: [`Finding`]s.
//! Never changes a file. Read next: `tables.rs` (what is asked for, and why), then `rules.rs` (how it is looked for).

mod rules;
mod tables;
mod tree;

pub(crate) use rules::check;
pub(crate) use tree::{Finding, SourceFile, Tree};
