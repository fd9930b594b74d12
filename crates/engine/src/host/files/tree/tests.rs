// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / tree tests: what a guest can do with its files, and what it cannot.

use std::sync::Arc;

use super::super::Spill;
use super::*;

fn files() -> (tempfile::TempDir, Files, Arc<Opened>) {
    let directory = tempfile::tempdir().unwrap();
    let spill = Spill::open(directory.path().join("files")).unwrap();
    let files = Files::new(Arc::new(spill));
    let root = files.root().unwrap();
    (directory, files, root)
}

const CREATE: OpenWith = OpenWith {
    follow: true,
    create: true,
    exclusive: false,
    truncate: false,
    directory: false,
    write: true,
};
const READ: OpenWith = OpenWith {
    follow: true,
    create: false,
    exclusive: false,
    truncate: false,
    directory: false,
    write: false,
};

fn code<T: std::fmt::Debug>(result: Result<T, Fault>) -> ErrorCode {
    match result.unwrap_err() {
        Fault::Code(code) => code,
        Fault::Machine(error) => panic!("{error}"),
    }
}

#[test]
fn a_file_is_written_read_renamed_and_removed() {
    let (_directory, files, root) = files();
    assert!(files.are_untouched());
    files.at(5);
    root.create_directory("a").unwrap();
    let file = root.open("a/f", CREATE).unwrap();
    file.write(0, b"hello").unwrap();
    file.append(b" you").unwrap();
    assert_eq!(file.read(1, 4).unwrap(), b"ello");
    assert_eq!(root.attributes_at("a/./../a/f", true).unwrap().size, 9);
    assert_eq!(file.attributes().unwrap().modified, 5);
    root.rename("a/f", &root, "g").unwrap();
    assert_eq!(code(root.attributes_at("a/f", true)), ErrorCode::NoEntry);
    assert_eq!(code(root.remove_directory("g")), ErrorCode::NotDirectory);
    root.unlink("g").unwrap();
    assert_eq!(file.read(0, 5).unwrap(), b"hello", "an open file stays");
    drop(file);
    assert_eq!(files.lock().bytes, 0);
    root.remove_directory("a").unwrap();
    assert_eq!(files.lock().nodes.len(), 1);
    assert!(!files.are_untouched());
}

#[test]
fn no_path_leads_above_where_it_starts() {
    let (_directory, _files, root) = files();
    root.create_directory("in").unwrap();
    root.open("secret", CREATE).unwrap();
    let inside = root.open("in", READ).unwrap();
    for path in ["..", "../secret", "a/../../secret", "/secret", "/"] {
        let fault = inside.attributes_at(path, true);
        let code = code(fault);
        assert!(
            matches!(code, ErrorCode::NotPermitted | ErrorCode::NoEntry),
            "{path}: {code:?}"
        );
    }
    inside.symlink("../secret", "out").unwrap();
    assert_eq!(code(inside.open("out", READ)), ErrorCode::NotPermitted);
    assert_eq!(code(inside.symlink("/etc", "abs")), ErrorCode::NotPermitted);
    // From above, the same link stays inside.
    assert!(root.open("in/out", READ).is_ok());
    inside.symlink("loop", "loop").unwrap();
    assert_eq!(code(inside.open("loop", READ)), ErrorCode::Loop);
    assert_eq!(inside.read_link("loop").unwrap(), "loop");
    assert_eq!(code(root.attributes_at("", true)), ErrorCode::NoEntry);
    assert_eq!(code(root.attributes_at("a\0b", true)), ErrorCode::Invalid);
    let long = "x".repeat(256);
    assert_eq!(code(root.open(&long, CREATE)), ErrorCode::NameTooLong);
}

#[test]
fn the_quota_counts_bytes_and_nodes_and_forgets_what_is_removed() {
    let (_directory, files, root) = files();
    let file = root.open("big", CREATE).unwrap();
    file.set_size(BYTES_MAX).unwrap();
    let other = root.open("other", CREATE).unwrap();
    assert_eq!(code(other.write(0, b"x")), ErrorCode::Quota);
    assert_eq!(code(file.append(b"x")), ErrorCode::Quota);
    assert_eq!(code(file.write(u64::MAX, b"xy")), ErrorCode::Quota);
    file.set_size(10).unwrap();
    other.write(0, b"x").unwrap();
    assert_eq!(files.lock().bytes, 11);
    drop((file, other));
    for n in 0..NODES_MAX - 3 {
        root.open(&format!("n{n}"), CREATE).unwrap();
    }
    assert_eq!(code(root.create_directory("one-more")), ErrorCode::Quota);
    root.unlink("n0").unwrap();
    root.create_directory("one-more").unwrap();
}

#[test]
fn renaming_and_linking_follow_the_rules_of_posix() {
    let (_directory, _files, root) = files();
    root.create_directory("d").unwrap();
    root.create_directory("d/e").unwrap();
    root.open("f", CREATE).unwrap();
    assert_eq!(code(root.rename("d", &root, "d/e/x")), ErrorCode::Invalid);
    assert_eq!(code(root.rename("f", &root, "d")), ErrorCode::IsDirectory);
    assert_eq!(code(root.rename("d", &root, "f")), ErrorCode::NotDirectory);
    root.create_directory("full").unwrap();
    root.create_directory("full/x").unwrap();
    assert_eq!(code(root.rename("d", &root, "full")), ErrorCode::NotEmpty);
    root.link("f", false, &root, "f2").unwrap();
    assert_eq!(root.attributes_at("f", false).unwrap().links, 2);
    assert_eq!(
        root.attributes_at("f", false).unwrap().id,
        root.attributes_at("f2", false).unwrap().id
    );
    assert_eq!(
        code(root.link("d", false, &root, "d2")),
        ErrorCode::NotPermitted
    );
    root.rename("f", &root, "f2").unwrap();
    root.unlink("f").unwrap();
    let names: Vec<_> = root
        .list()
        .unwrap()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["d", "f2", "full"]);
    let gone = root.open("d", READ).unwrap();
    root.remove_directory("d/e").unwrap();
    root.remove_directory("d").unwrap();
    assert_eq!(code(gone.open("late", CREATE)), ErrorCode::NoEntry);
    assert_eq!(
        code(root.open(
            "f2",
            OpenWith {
                exclusive: true,
                ..CREATE
            }
        )),
        ErrorCode::Exist
    );
    assert_eq!(code(root.open("f2/", READ)), ErrorCode::NotDirectory);
}

#[test]
fn an_archive_gives_the_same_tree() {
    let (directory, files, root) = files();
    root.create_directory("d").unwrap();
    let file = root.open("d/large", CREATE).unwrap();
    file.write(100_000, b"end").unwrap();
    root.symlink("d/large", "link").unwrap();
    root.link("d/large", false, &root, "second").unwrap();
    let archive = files.archive().unwrap().unwrap();
    let copy = Files::new(Arc::new(
        Spill::open(directory.path().join("other")).unwrap(),
    ));
    let other = copy.root().unwrap();
    assert!(!copy.unpack(&archive[1..]).unwrap());
    assert!(copy.unpack(&archive).unwrap());
    let read = other.open("link", READ).unwrap();
    assert_eq!(read.read(99_999, 10).unwrap(), b"\0end");
    assert_eq!(read.attributes().unwrap(), file.attributes().unwrap());
    assert_eq!(copy.archive().unwrap().unwrap(), archive);
    root.unlink("d/large").unwrap();
    root.unlink("second").unwrap();
    assert!(
        files.archive().unwrap().is_none(),
        "an open file without a name"
    );
    drop(file);
    assert!(files.archive().unwrap().is_some());
}
