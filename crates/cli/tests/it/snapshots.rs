// SPDX-License-Identifier: Apache-2.0
//! THE DESK / tests, snapshots: what a person sees, word by word: exit code, standard output and standard error of the commands in
//! `tests/cases/`. After a change on purpose `TRYCMD=overwrite` writes them anew; the difference is read before it is committed.
//! Every help text is in docs/cli-reference.md.

/// Runs the commands of one file, in order, with profiles of their own.
fn see(file: &str) {
    let home = tempfile::tempdir().unwrap();
    let cases = trycmd::TestCases::new();
    cases
        .register_bin("golem-cli", trycmd::cargo::cargo_bin!("golem-cli"))
        .env("GOLEM_CONFIG_DIR", home.path().to_string_lossy())
        .env("NO_COLOR", "1")
        .env("CI", "")
        .case(format!("tests/cases/{file}.md"));
    cases.run();
}

#[test]
fn wrong_command_lines_say_what_to_write() {
    see("usage");
}

#[test]
fn errors_have_a_code_and_a_hint() {
    see("errors");
}

#[test]
fn listings_are_the_same_in_every_format() {
    see("listings");
}

#[test]
fn profiles_are_those_of_golem_1() {
    see("profiles");
}

#[test]
fn topics_are_texts() {
    see("topics");
}
