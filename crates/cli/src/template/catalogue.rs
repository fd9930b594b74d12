// SPDX-License-Identifier: Apache-2.0
//! THE DESK / template catalogue: what lies in `templates/`, compiled in. In a name, out a [`Template`].
//! Never reads the disk. Read next: `render.rs`. Why: `new` works without network and without an installation directory.

use super::TemplateError;

/// A project that `new` can make.
#[derive(Debug)]
pub(crate) struct Template {
    /// What `--example` takes.
    pub(crate) name: &'static str,
    /// One sentence.
    pub(crate) description: &'static str,
    /// Path and text of every file, with placeholders in both.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// Directories that get the WIT packages of [`WIT_DEPS`].
    pub(crate) wit_deps: &'static [&'static str],
    /// Whether the project gets the Go SDK, in `third_party/golem-go`; its `go.mod` has to require it from there.
    pub(crate) sdk: bool,
    /// What is printed in the end, with placeholders.
    pub(crate) instructions: &'static str,
    /// Whether the package's name and version are used, or only its namespace.
    pub(crate) uses_package: bool,
    /// Whether the adapter lies in it, for the tools of Golem 1.1.
    pub(crate) has_adapter: bool,
}

macro_rules! text {
    ($path:expr) => {
        include_str!(concat!("../../../../templates/", $path))
    };
}

macro_rules! files {
    ($dir:literal: $($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../templates/", $dir, "/", $path)))),*]
    };
}

/// A template of our own: no WIT packages, no adapter.
macro_rules! own {
    ($name:literal, $description:literal, uses_package: $uses_package:literal, sdk: $sdk:literal, [$($path:literal),*]) => {
        Template {
            name: $name,
            description: $description,
            files: files![$name: $($path),*],
            wit_deps: &[],
            sdk: $sdk,
            instructions: text!(concat!($name, "/INSTRUCTIONS")),
            uses_package: $uses_package,
            has_adapter: false,
        }
    };
}

/// The WIT packages that templates with full support get, by path below `deps`.
pub(crate) const WIT_DEPS: &[(&str, &str)] = files!["wit-deps":
    "cli/environment.wit",
    "clocks/monotonic-clock.wit",
    "clocks/wall-clock.wit",
    "io/error.wit",
    "io/poll.wit",
    "io/streams.wit",
    "random/random.wit",
    "wasm-rpc/wasm-rpc.wit",
];

/// The packages of [`WIT_DEPS`], which a component must not call itself.
pub(crate) const WIT_DEPS_PACKAGES: &[&str] = &[
    "wasi:cli@0.2.0",
    "wasi:clocks@0.2.0",
    "wasi:io@0.2.0",
    "wasi:random@0.2.0",
    "golem:rpc@0.1.0",
];

/// Where the adapter goes.
pub(crate) const ADAPTER_PATH: &str = "adapters/tier1/wasi_snapshot_preview1.wasm";

/// The adapter from WASI preview 1 to preview 2 for components without a `main` (reactors).
pub(crate) const fn adapter() -> &'static [u8] {
    wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER
}

/// The templates of Golem 1.1, for `--example`, in the order of the listing: its names, its layout, its style of bindings.
pub(crate) const EXAMPLES: &[Template] = &[
    Template {
        name: "go-default",
        description: "A component in Go with access to worker-to-worker calls, WASI polling and clocks",
        files: files!["go-default":
            ".gitignore._",
            "Makefile",
            "README.md",
            "go.mod._",
            "main.go",
            "tests/counter.yaml",
            "tools/wasm-tools",
            "wit/component-name.wit",
        ],
        wit_deps: &["wit/deps"],
        sdk: false,
        instructions: text!("go-default/INSTRUCTIONS"),
        uses_package: true,
        has_adapter: true,
    },
    Template {
        name: "go-default-minimal",
        description: "A component in Go that imports nothing",
        files: files!["go-default-minimal":
            ".gitignore._",
            "Makefile",
            "README.md",
            "go.mod._",
            "main.go",
            "wit/component-name.wit",
        ],
        wit_deps: &[],
        sdk: false,
        instructions: text!("go-default-minimal/INSTRUCTIONS"),
        uses_package: true,
        has_adapter: true,
    },
    Template {
        name: "go-multi-rpc",
        description: "A project in Go with three components that call each other, built by golem-cli alone",
        files: files!["go-multi-rpc":
            ".gitignore._",
            "Makefile",
            "README.md",
            "components/component-one/main.go",
            "components/component-one/wit/component-one.wit",
            "components/component-three/main.go",
            "components/component-three/wit/component-three.wit",
            "components/component-two/main.go",
            "components/component-two/wit/component-two.wit",
            "go.mod._",
            "golem.yaml",
            "integration/integration_test.go",
            "lib/cfg/cfg.go",
            "lib/cfg/cfg_test.go",
            "tests/counters.yaml",
        ],
        wit_deps: &[
            "components/component-one/wit/deps",
            "components/component-three/wit/deps",
            "components/component-two/wit/deps",
        ],
        sdk: false,
        instructions: text!("go-multi-rpc/INSTRUCTIONS"),
        uses_package: false,
        has_adapter: true,
    },
];

/// Our own templates, for `--template`, in the order of the listing: style `go`, a manifest, a test.
pub(crate) const TEMPLATES: &[Template] = &[
    own!(
        "minimal",
        "One component in Go: a durable counter, with a test",
        uses_package: true,
        sdk: false,
        [".gitignore._", "README.md", "go.mod._", "golem.yaml", "main.go", "main_test.go", "wit/component-name.wit"]
    ),
    own!(
        "default",
        "One component in Go with the SDK: a shopping cart; errors as values, logging",
        uses_package: true,
        sdk: true,
        [".gitignore._", "README.md", "go.mod._", "golem.yaml", "main.go", "main_test.go", "wit/component-name.wit"]
    ),
    own!(
        "multi-rpc",
        "Two components in Go that call each other: orders and stock; typed errors, a deadline, doubles in tests",
        uses_package: false,
        sdk: false,
        [".gitignore._", "README.md", "go.mod._", "golem.yaml", "orders/main.go", "orders/main_test.go", "orders/wit/orders.wit", "stock/main.go", "stock/main_test.go", "stock/wit/stock.wit"]
    ),
    own!(
        "fan-out",
        "A worker in Go that splits its work among many ephemeral ones and waits for all of them",
        uses_package: false,
        sdk: false,
        [".gitignore._", "README.md", "boss/main.go", "boss/main_test.go", "boss/wit/boss.wit", "go.mod._", "golem.yaml", "helper/main.go", "helper/main_test.go", "helper/wit/helper.wit"]
    ),
    own!(
        "saga",
        "A transaction in Go over several workers: all bookings of a trip or none",
        uses_package: false,
        sdk: true,
        [".gitignore._", "README.md", "booking/main.go", "booking/main_test.go", "booking/wit/booking.wit", "go.mod._", "golem.yaml", "trip/main.go", "trip/main_test.go", "trip/wit/trip.wit"]
    ),
    own!(
        "approval",
        "A worker in Go that waits for a person, with a promise",
        uses_package: true,
        sdk: true,
        [".gitignore._", "README.md", "go.mod._", "golem.yaml", "main.go", "main_test.go", "wit/component-name.wit"]
    ),
    own!(
        "timer",
        "A job in Go that is done again and again, like a cron job",
        uses_package: true,
        sdk: true,
        [".gitignore._", "README.md", "go.mod._", "golem.yaml", "main.go", "main_test.go", "wit/component-name.wit"]
    ),
    own!(
        "key-value",
        "Workers in Go that share a bucket of keys and values",
        uses_package: true,
        sdk: true,
        [".gitignore._", "README.md", "go.mod._", "golem.yaml", "main.go", "main_test.go", "wit/component-name.wit"]
    ),
    own!(
        "http-client",
        "A worker in Go that asks a web service with net/http",
        uses_package: true,
        sdk: true,
        [".gitignore._", "README.md", "go.mod._", "golem.yaml", "main.go", "main_test.go", "wit/component-name.wit"]
    ),
    own!(
        "http-api",
        "A worker in Go that answers HTTP with a http.Handler",
        uses_package: true,
        sdk: true,
        [".gitignore._", "README.md", "go.mod._", "golem.yaml", "main.go", "main_test.go", "wit/component-name.wit"]
    ),
];

/// What `new --lang go` makes.
pub(crate) const DEFAULT_TEMPLATE: &str = "minimal";

/// Which of the two lists a name is looked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// [`EXAMPLES`].
    Example,
    /// [`TEMPLATES`].
    Template,
}

impl Kind {
    /// The list.
    pub(crate) const fn list(self) -> &'static [Template] {
        match self {
            Self::Example => EXAMPLES,
            Self::Template => TEMPLATES,
        }
    }
}

/// The template called `name` in one of the lists. Errors: `Unknown`, with the nearest name of both.
pub(crate) fn find(kind: Kind, name: &str) -> Result<&'static Template, TemplateError> {
    let known = kind.list().iter().find(|template| template.name == name);
    known.ok_or_else(|| {
        let both = [(Kind::Example, EXAMPLES), (Kind::Template, TEMPLATES)];
        let all = || {
            both.iter()
                .flat_map(|(_, list)| list.iter())
                .map(|t| t.name)
        };
        let nearest = golem_model::suggest::closest(name, all()).map(|nearest| {
            let example = EXAMPLES.iter().any(|template| template.name == nearest);
            let option = if example { "--example" } else { "--template" };
            format!("{option} {nearest}")
        });
        TemplateError::Unknown {
            name: name.to_owned(),
            nearest,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn walk(dir: &Path, base: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, base, found);
            } else {
                found.push(
                    path.strip_prefix(base)
                        .unwrap()
                        .to_string_lossy()
                        .into_owned(),
                );
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_in_the_catalogue() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates");
        let mut found = Vec::new();
        walk(&root, &root, &mut found);
        let mut known: Vec<String> = WIT_DEPS
            .iter()
            .map(|(path, _)| format!("wit-deps/{path}"))
            .collect();
        for template in EXAMPLES.iter().chain(TEMPLATES) {
            known.extend(
                template
                    .files
                    .iter()
                    .map(|(path, _)| format!("{}/{path}", template.name)),
            );
            known.push(format!("{}/INSTRUCTIONS", template.name));
        }
        known.push("README.md".to_owned());
        found.sort();
        known.sort();
        assert_eq!(found, known);
    }

    #[test]
    fn wit_that_the_stub_generator_also_writes_is_the_same_text() {
        let workshop = |path: &str| {
            std::fs::read_to_string(
                Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("../wit/src/wit")
                    .join(path),
            )
            .unwrap()
        };
        let ours = |path: &str| WIT_DEPS.iter().find(|(p, _)| *p == path).unwrap().1;
        assert_eq!(ours("io/poll.wit"), workshop("poll.wit"));
        assert_eq!(ours("wasm-rpc/wasm-rpc.wit"), workshop("wasm-rpc.wit"));
    }
}
