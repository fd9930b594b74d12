// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / tests: the formats on disk stay what they were. In: `golden/v<N>/`. Out: failures. Read next: `formats.rs`.

mod formats;
