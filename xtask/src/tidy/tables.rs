// SPDX-License-Identifier: Apache-2.0
//! THE JANITOR / tables: the house rules as data, each with its reason. In: nothing. Out: [`ROOMS`], [`ABSENCES`], [`PATHS`]
//! and limits. To change a rule, change a row here and say why in the commit. Read next: `rules.rs`.

/// A folder and the label that the header of each of its Rust files starts with.
pub(crate) const ROOMS: &[(&str, &str)] = &[
    ("crates/model/", "THE WORDS"),
    ("crates/wit/", "THE WORKSHOP"),
    ("crates/storage/", "THE SHELVES"),
    ("crates/engine/", "THE STAGE"),
    ("crates/server/", "THE DOOR"),
    ("crates/client/", "THE PHONE"),
    ("crates/cli/", "THE DESK"),
    ("crates/testkit/", "THE GYM"),
    ("xtask/", "THE JANITOR"),
    ("tests/it/", "THE EXAM"),
    ("benches/", "THE SCALES"),
    ("fuzz/", "THE STORM"),
];

/// Which lines an [`Absence`] looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    /// Code of Rust files: what stands before `//`.
    Rust,
    /// Names of dependencies in Cargo.toml files.
    Dependency,
}

/// Something that must not be found in a part of the tree.
#[derive(Debug)]
pub(crate) struct Absence {
    /// Which lines are looked at.
    pub(crate) lines: Lines,
    /// Words that must not stand there; a letter, digit or `_` before the word makes it another word.
    pub(crate) words: &'static [&'static str],
    /// Folders or files where it holds (prefix of the path).
    pub(crate) within: &'static [&'static str],
    /// Folders or files inside `within` where it does not hold.
    pub(crate) except: &'static [&'static str],
    /// Why.
    pub(crate) reason: &'static str,
}

/// The absences: what a room is known by not containing.
pub(crate) const ABSENCES: &[Absence] = &[
    Absence {
        lines: Lines::Dependency,
        words: &["tokio", "async-trait", "futures-util", "axum", "wasmtime"],
        within: &["crates/model/"],
        except: &[],
        reason: "model is plain data: no IO, no async",
    },
    Absence {
        lines: Lines::Rust,
        words: &["tokio::", "std::fs", "std::net", "async fn"],
        within: &["crates/model/src/"],
        except: &[],
        reason: "model is plain data: no IO, no async",
    },
    Absence {
        lines: Lines::Dependency,
        words: &["wasmtime"],
        within: &["crates/", "xtask/", "tests/", "benches/"],
        except: &["crates/engine/"],
        reason: "only engine knows the wasm runtime, so that it can be replaced or patched in one place",
    },
    Absence {
        lines: Lines::Rust,
        words: &["wasmtime::", "wasmtime_wasi"],
        within: &["crates/", "xtask/", "tests/", "benches/"],
        except: &["crates/engine/"],
        reason: "only engine knows the wasm runtime, so that it can be replaced or patched in one place",
    },
    Absence {
        lines: Lines::Dependency,
        words: &["axum"],
        within: &["crates/", "xtask/", "tests/", "benches/"],
        except: &["crates/server/"],
        reason: "only server speaks HTTP as a server",
    },
    Absence {
        lines: Lines::Dependency,
        words: &["hyper"],
        within: &["crates/", "xtask/", "tests/", "benches/"],
        except: &["crates/server/", "crates/engine/"],
        reason: "only server speaks HTTP as a server, and only engine as a client of guests",
    },
    Absence {
        lines: Lines::Dependency,
        words: &["rustls"],
        within: &["crates/", "xtask/", "tests/", "benches/"],
        except: &["crates/server/", "crates/engine/", "crates/client/"],
        reason: "only server and engine encrypt what HTTP they speak, and client its connection to listen to workers",
    },
    Absence {
        lines: Lines::Dependency,
        words: &["ureq", "tungstenite"],
        within: &["crates/cli/"],
        except: &[],
        reason: "what is asked of a server is a function of client, so that other programs have it too",
    },
    Absence {
        lines: Lines::Dependency,
        words: &["clap", "tokio", "async-trait", "futures-util"],
        within: &["crates/client/"],
        except: &[],
        reason: "client is a library that blocks: it has no command line and no runtime",
    },
    Absence {
        lines: Lines::Rust,
        words: &["std::env", "ExitCode"],
        within: &["crates/client/src/"],
        except: &[],
        reason: "client does what it is told: options, variables and exit codes are the business of the program that uses it",
    },
    Absence {
        lines: Lines::Rust,
        words: &["hyper::", "hyper_util", "rustls", "TcpStream"],
        within: &["crates/engine/"],
        except: &["crates/engine/src/host/http/"],
        reason: "guests reach the network through host/http/ only, where the allow-list is",
    },
    Absence {
        lines: Lines::Rust,
        words: &["axum::"],
        within: &["crates/", "xtask/", "tests/", "benches/"],
        except: &["crates/server/"],
        reason: "only server speaks HTTP as a server",
    },
    Absence {
        lines: Lines::Rust,
        words: &[
            "SELECT ",
            "INSERT INTO ",
            "DELETE FROM ",
            "CREATE TABLE ",
            "ALTER TABLE ",
        ],
        within: &["crates/"],
        except: &["crates/storage/src/postgres/"],
        reason: "SQL stands in storage/src/postgres/ only; others use the Store trait",
    },
    Absence {
        lines: Lines::Dependency,
        words: &["tokio", "reqwest", "hyper", "axum"],
        within: &["crates/wit/"],
        except: &[],
        reason: "wit turns files into files: no network, no async",
    },
    Absence {
        lines: Lines::Rust,
        words: &["std::net", "tokio::", "reqwest::", "TcpStream"],
        within: &["crates/wit/"],
        except: &[],
        reason: "wit turns files into files: no network, no async",
    },
    Absence {
        lines: Lines::Rust,
        words: &[
            "Event::Read(Read",
            "Event::CallStart(CallStart",
            "Event::CallEnd(CallEnd",
        ],
        within: &["crates/engine/src/"],
        except: &["crates/engine/src/host/durable.rs"],
        reason: "the answer of a host call is recorded in one place, where replay reads it back",
    },
    Absence {
        lines: Lines::Rust,
        words: &["Op::Append", "committer.submit("],
        within: &["crates/engine/src/", "crates/server/src/"],
        except: &["crates/engine/src/oplog/"],
        reason: "only the writer appends to a log: entries stay in order and without gaps",
    },
    Absence {
        lines: Lines::Rust,
        words: &["#[allow(", "#![allow("],
        within: &["crates/", "xtask/", "tests/", "benches/"],
        except: &[],
        reason: "an exception to a lint is an `expect` with a reason: it tells when it is no longer needed",
    },
    Absence {
        lines: Lines::Rust,
        words: &["#[ignore"],
        within: &["crates/", "xtask/", "tests/", "benches/"],
        except: &[],
        reason: "a test that is not run is not a test; a test that needs a tool says so and stops",
    },
    Absence {
        lines: Lines::Rust,
        words: &["todo!(", "unimplemented!("],
        within: &["crates/", "xtask/", "tests/", "benches/"],
        except: &[],
        reason: "what is not done is written in docs/STATUS.md",
    },
];

/// The files of the path of an invocation, in reading order. Each must exist and be named in [`ARCHITECTURE`].
pub(crate) const RUN_PATH: &[&str] = &[
    "crates/server/src/http/worker.rs",
    "crates/engine/src/node/calls.rs",
    "crates/engine/src/worker.rs",
    "crates/engine/src/queue.rs",
    "crates/engine/src/run.rs",
    "crates/engine/src/activate.rs",
    "crates/engine/src/instance.rs",
    "crates/engine/src/host/mod.rs",
    "crates/engine/src/host/durable.rs",
    "crates/engine/src/rpc/stub.rs",
    "crates/engine/src/rpc/call.rs",
    "crates/engine/src/oplog/writer.rs",
    "crates/engine/src/oplog/reader.rs",
    "crates/storage/src/committer.rs",
    "crates/storage/src/store.rs",
    "crates/storage/src/fjall/store.rs",
];

/// The files of the path from Go source to a deployed component, in reading order.
pub(crate) const BUILD_PATH: &[&str] = &[
    "crates/cli/src/cmd/build.rs",
    "crates/cli/src/build.rs",
    "crates/wit/src/resolve.rs",
    "crates/wit/src/stub/interface.rs",
    "crates/wit/src/stub/component.rs",
    "crates/wit/src/deps.rs",
    "crates/wit/src/bindgen/go/mod.rs",
    "crates/cli/src/build/go.rs",
    "crates/wit/src/encode.rs",
    "crates/wit/src/compose.rs",
    "crates/client/src/component.rs",
];

/// The two paths that docs/ARCHITECTURE.md lists.
pub(crate) const PATHS: &[(&str, &[&str])] = &[("run", RUN_PATH), ("build", BUILD_PATH)];

/// The page that names the files of the two paths.
pub(crate) const ARCHITECTURE: &str = "docs/ARCHITECTURE.md";

/// Longest architecture page, in lines: what a newcomer reads in one sitting.
pub(crate) const ARCHITECTURE_LINES_MAX: usize = 300;

/// Longest Rust file, in lines, without an ADR that names it: beyond that nobody reads it in one go.
pub(crate) const FILE_LINES_MAX: usize = 1000;

/// First line of each Rust file.
pub(crate) const SPDX: &str = "// SPDX-License-Identifier: Apache-2.0";

/// Endings of the files whose text is checked.
pub(crate) const TEXT_ENDINGS: &[&str] = &[
    ".rs", ".toml", ".md", ".go", ".sh", ".wit", ".yaml", ".yml", ".json", ".html", ".css", ".js",
    ".ts",
];

/// Folders whose texts come from elsewhere or are expectations to the byte, so that text rules do not hold there.
pub(crate) const FOREIGN_FOLDERS: &[&str] = &[
    "/golden/",
    "/cases/",
    "/oracle/",
    "/generated/",
    "/wit/deps/",
    "/fixtures/",
    "/deps/",
];

/// Files that hold the words which the rules look for.
pub(crate) const RULES_THEMSELVES: &[&str] = &["xtask/src/tidy/"];

/// Marks of unfinished work; what is not done is written in docs/STATUS.md.
pub(crate) const OPEN_ENDS: &[&str] = &["TODO", "FIXME"];

/// Folders of one machine. A path that starts so works for nobody else.
pub(crate) const MACHINE_FOLDERS: &[&str] = &["/work/", "/root/"];
