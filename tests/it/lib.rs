// SPDX-License-Identifier: Apache-2.0
//! THE EXAM: tests of the whole program. Everything is in `main.rs` and beside it; this crate has nothing to offer.
