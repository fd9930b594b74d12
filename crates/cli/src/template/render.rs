// SPDX-License-Identifier: Apache-2.0
//! THE DESK / template render: fills the placeholders in. In a [`Template`] and [`Names`], out files as bytes.
//! Never touches the disk. Read next: `write.rs`. Why: one pass from left to right, so that a name which looks like a
//! placeholder is never replaced again.

use super::{Names, Template, catalogue};
use crate::sdk;

/// One file of a project: its path below the project, with `/`, and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// Path.
    pub(crate) path: String,
    /// Content.
    pub(crate) bytes: Vec<u8>,
}

/// All files of `template` for `names`, sorted by path, and the text to print afterwards.
pub(crate) fn render(template: &Template, names: &Names) -> (Vec<File>, String) {
    let placeholders = names.placeholders();
    let mut files = Vec::new();
    for (path, text) in template.files {
        let path = fill(path, &placeholders);
        // Files that a tool would take for its own while they lie in `templates/` carry this ending there.
        let path = path.strip_suffix("._").unwrap_or(&path).to_owned();
        files.push(File {
            path,
            bytes: fill(text, &placeholders).into_bytes(),
        });
    }
    for dir in template.wit_deps {
        for (path, text) in catalogue::WIT_DEPS {
            files.push(File {
                path: format!("{dir}/{path}"),
                bytes: text.as_bytes().to_vec(),
            });
        }
    }
    if template.sdk {
        files.extend(sdk::files().map(|(path, text)| File {
            path: format!("{}/{path}", sdk::DIR),
            bytes: text.as_bytes().to_vec(),
        }));
    }
    if template.has_adapter {
        files.push(File {
            path: catalogue::ADAPTER_PATH.to_owned(),
            bytes: catalogue::adapter().to_vec(),
        });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    (files, fill(template.instructions, &placeholders))
}

/// Replaces every placeholder of `text`. At each place the first of the list that fits wins.
fn fill(text: &str, placeholders: &[(&'static str, String)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    'next: while let Some(first) = rest.chars().next() {
        for (placeholder, value) in placeholders {
            if let Some(after) = rest.strip_prefix(placeholder) {
                out.push_str(value);
                rest = after;
                continue 'next;
            }
        }
        out.push(first);
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_that_uses_the_sdk_gets_all_of_it_as_it_is() {
        let names = Names {
            component: "cart".to_owned(),
            package: super::super::package_spec("shop:cart").unwrap(),
            target: "cart".to_owned(),
        };
        let paths = |sdk| {
            let base = catalogue::find(catalogue::Kind::Example, "go-default-minimal").unwrap();
            let template = Template {
                name: base.name,
                description: base.description,
                files: base.files,
                wit_deps: base.wit_deps,
                sdk,
                instructions: base.instructions,
                uses_package: base.uses_package,
                has_adapter: base.has_adapter,
            };
            render(&template, &names).0
        };
        let folder = |files: Vec<File>| {
            let of_sdk = |file: &File| file.path.starts_with("third_party/golem-go/");
            files.into_iter().filter(of_sdk).collect::<Vec<File>>()
        };
        assert_eq!(folder(paths(false)), []);
        let found = folder(paths(true));
        assert_eq!(found.len(), sdk::files().count());
        for (path, text) in sdk::files() {
            let path = format!("third_party/golem-go/{path}");
            let file = found.iter().find(|file| file.path == path);
            assert_eq!(
                file.map(|file| file.bytes.as_slice()),
                Some(text.as_bytes()),
                "{path}"
            );
        }
        let has = |name: &str| sdk::files().any(|(path, _)| path == name);
        assert!(has("go.mod") && has("LICENSE") && has("golemhost/promise.go"));
        assert!(!sdk::files().any(|(path, _)| path.ends_with("_test.go")));
    }

    #[test]
    fn replaced_text_is_never_replaced_again() {
        let list = [
            ("component-name", "pack-ns".to_owned()),
            ("pack-ns", "component-name".to_owned()),
            ("{{}}", String::new()),
        ];
        assert_eq!(
            fill("component-name/pack-ns --component{{}}-name é", &list),
            "pack-ns/component-name --component-name é"
        );
    }
}
