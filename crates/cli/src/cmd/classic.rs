// SPDX-License-Identifier: Apache-2.0
//! THE DESK / classic: exit codes of the verbs that Golem 1.1 has too. In a failure, out the same with exit code 1 or 2.
//! Scripts of that time test for these two; the finer codes hold for our own verbs. Source: cli-and-console spec §2.

use crate::error::{Failure, Outcome};
use crate::exit;

/// Keeps a usage error (2) and makes every other failure a 1. The code in the message tells them apart.
pub(crate) fn classic(outcome: Outcome) -> Outcome {
    outcome.map_err(|failure| {
        let exit = if failure.exit == exit::USAGE {
            exit::USAGE
        } else {
            exit::GENERIC
        };
        Failure::with_exit(failure, exit)
    })
}
