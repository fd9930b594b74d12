// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / oplog: the only place that appends to a worker's log, and the only one that reads it back.

pub(crate) mod fork;
pub(crate) mod ledger;
pub(crate) mod past;
mod payload;
pub(crate) mod reader;
pub(crate) mod regions;
pub(crate) mod writer;

pub(crate) use ledger::{Base, Ledger, each};
pub(crate) use payload::Payloads;
pub(crate) use reader::{Reader, Seen, Span};
pub(crate) use regions::{Region, Regions};
pub(crate) use writer::{SharedWriter, Writer};
