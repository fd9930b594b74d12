//! THE EXAM: the tests live in `main.rs`.
