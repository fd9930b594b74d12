// SPDX-License-Identifier: Apache-2.0
//! THE DESK / cmd: one file per verb, each with its `Args` and its `run`. Never prints but through `output.rs`.

pub(crate) mod add_dependency;
pub(crate) mod api;
pub(crate) mod app;
pub(crate) mod bindings;
pub(crate) mod build;
mod classic;
pub(crate) mod completion;
pub(crate) mod component;
pub(crate) mod deploy;
pub(crate) mod dev;
pub(crate) mod diagnose;
pub(crate) mod doctor;
pub(crate) mod explain;
#[cfg(feature = "server")]
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod help;
#[cfg(feature = "server")]
pub(crate) mod import;
pub(crate) mod invoke;
pub(crate) mod list_examples;
pub(crate) mod logs;
pub(crate) mod man;
pub(crate) mod namespace;
pub(crate) mod new;
pub(crate) mod oplog;
pub(crate) mod plugin;
pub(crate) mod profile;
pub(crate) mod promise;
mod refs;
pub(crate) mod repl;
pub(crate) mod sdk;
pub(crate) mod secret;
#[cfg(feature = "server")]
pub(crate) mod server;
pub(crate) mod stubgen;
#[cfg(feature = "server")]
pub(crate) mod test;
pub(crate) mod token;
pub(crate) mod trace;
pub(crate) mod worker;
