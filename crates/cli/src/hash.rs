// SPDX-License-Identifier: Apache-2.0
//! THE DESK / hash: the hash by which a server names contents. In bytes, out hexadecimal digits. Read next: `cmd/deploy.rs`.

use golem_model::hex;
use sha2::{Digest as _, Sha256};

/// SHA-256 of `bytes`, 64 hexadecimal digits in lower case.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
