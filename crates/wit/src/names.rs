// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / names: what is a legal WIT identifier, package name or keyword. In: text. Out: yes, no, or why not.
//! Never touches files. Read next: `resolve.rs`. Why: a bad name must be refused where it is typed, not where it is parsed.

use std::borrow::Cow;

use golem_model::Coded;
use wit_parser::{PackageName, ParsedUsePath, parse_use_path};

/// Words that the WIT grammar reserves; as a name each of them is written with a leading `%`.
///
/// Source: the lexer of wit-parser 0.254; `map`, `async` and `error-context` are younger than Golem 1.1.
pub const KEYWORDS: &[&str] = &[
    "_",
    "as",
    "async",
    "bool",
    "borrow",
    "char",
    "constructor",
    "enum",
    "error-context",
    "export",
    "f32",
    "f64",
    "flags",
    "from",
    "func",
    "future",
    "import",
    "include",
    "interface",
    "list",
    "map",
    "option",
    "own",
    "package",
    "record",
    "resource",
    "result",
    "s16",
    "s32",
    "s64",
    "s8",
    "static",
    "stream",
    "string",
    "tuple",
    "type",
    "u16",
    "u32",
    "u64",
    "u8",
    "use",
    "variant",
    "with",
    "world",
];

/// Longest identifier that [`identifier`] accepts, in bytes: names become file and directory names, which end at 255.
pub const MAX_IDENTIFIER_BYTES: usize = 128;

/// A name that WIT does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a kebab-case identifier.
    #[error("`{name}` is not a WIT identifier")]
    Identifier {
        /// The text as given.
        name: String,
    },
    /// A word of the grammar.
    #[error("`{name}` is a keyword of WIT")]
    Keyword {
        /// The text as given.
        name: String,
    },
    /// Not `namespace:name` or `namespace:name@version`.
    #[error("`{name}` is not a WIT package name")]
    Package {
        /// The text as given.
        name: String,
    },
}

impl Coded for NameError {
    fn code(&self) -> &'static str {
        match self {
            Self::Identifier { .. } => "WIT-020",
            Self::Keyword { .. } => "WIT-021",
            Self::Package { .. } => "WIT-022",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Identifier { name } => match suggestion(name) {
                Some(better) => format!("use lower-case words joined by `-`, for example `{better}`"),
                None => "use lower-case words joined by `-`, each starting with a letter, for example `shopping-cart`".to_owned(),
            },
            Self::Keyword { name } => format!("choose another name, for example `my-{name}`"),
            Self::Package { .. } => "write `namespace:name` or `namespace:name@1.2.3` in lower-case words joined by `-`, for example `acme:cart`".to_owned(),
        })
    }
}

/// Whether `text` is a WIT identifier: words of letters and digits that start with a letter, joined by `-`, each word
/// either all lower or all upper case. Keywords are identifiers too (they need a `%` in WIT text), see [`is_keyword`].
#[must_use]
pub fn is_identifier(text: &str) -> bool {
    text.len() <= MAX_IDENTIFIER_BYTES && !text.is_empty() && text.split('-').all(is_word)
}

fn is_word(word: &str) -> bool {
    let mut chars = word.chars();
    let Some(first) = chars.next() else {
        return false;
    };
    if first.is_ascii_lowercase() {
        chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    } else {
        first.is_ascii_uppercase() && chars.all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    }
}

/// Whether `text` is a word of the WIT grammar.
#[must_use]
pub fn is_keyword(text: &str) -> bool {
    KEYWORDS.contains(&text)
}

/// `name` as it has to be written in WIT text: with a leading `%` when it is a keyword.
#[must_use]
pub fn escape(name: &str) -> Cow<'_, str> {
    if is_keyword(name) {
        Cow::Owned(format!("%{name}"))
    } else {
        Cow::Borrowed(name)
    }
}

/// `namespace:name/interface[@version]` as it has to be written in WIT text.
#[must_use]
pub fn path(package: &PackageName, interface: &str) -> String {
    let version = package
        .version
        .as_ref()
        .map_or_else(String::new, |version| format!("@{version}"));
    format!(
        "{}:{}/{}{version}",
        escape(&package.namespace),
        escape(&package.name),
        escape(interface)
    )
}

/// Checks a name that a user chooses: an identifier in lower case and no keyword.
///
/// Errors: [`NameError::Identifier`], [`NameError::Keyword`].
pub fn identifier(text: &str) -> Result<(), NameError> {
    if !is_identifier(text) || text.chars().any(|c| c.is_ascii_uppercase()) {
        return Err(NameError::Identifier {
            name: text.to_owned(),
        });
    }
    if is_keyword(text) {
        return Err(NameError::Keyword {
            name: text.to_owned(),
        });
    }
    Ok(())
}

/// Reads `namespace:name[@semver]`; both words must pass [`identifier`].
///
/// Errors: [`NameError::Package`] for the shape, [`NameError::Identifier`] or [`NameError::Keyword`] for a word.
pub fn package_name(text: &str) -> Result<PackageName, NameError> {
    let wrong = || NameError::Package {
        name: text.to_owned(),
    };
    let (name, version) = match text.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (text, None),
    };
    let (namespace, name) = name.split_once(':').ok_or_else(wrong)?;
    if name.contains([':', '/']) || namespace.contains('/') {
        return Err(wrong());
    }
    identifier(namespace)?;
    identifier(name)?;
    let path = match version {
        Some(version) => format!("{namespace}:{name}/x@{version}"),
        None => format!("{namespace}:{name}/x"),
    };
    match parse_use_path(&path) {
        Ok(ParsedUsePath::Package(package, _)) => Ok(package),
        _ => Err(wrong()),
    }
}

/// Turns `text` (snake, Pascal, camel, with spaces) into the kebab identifier nearest to it; `None` when there is none.
#[must_use]
pub fn suggestion(text: &str) -> Option<String> {
    let kebab = heck::AsKebabCase(text).to_string();
    let kebab: String = kebab
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .collect();
    identifier(&kebab).is_ok().then_some(kebab)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_follow_the_grammar() {
        for good in ["a", "a1", "shopping-cart", "HTTP-server", "e-additive"] {
            assert!(is_identifier(good), "{good}");
        }
        for bad in [
            "",
            "-a",
            "a-",
            "a--b",
            "1a",
            "a_b",
            "aB",
            "a b",
            "ä",
            "a.b",
            &"x".repeat(200),
        ] {
            assert!(!is_identifier(bad), "{bad}");
        }
    }

    #[test]
    fn package_names_need_two_words() {
        assert_eq!(package_name("acme:cart").unwrap().to_string(), "acme:cart");
        assert_eq!(
            package_name("acme:cart@1.2.3").unwrap().to_string(),
            "acme:cart@1.2.3"
        );
        for bad in [
            "acme",
            "acme:",
            ":cart",
            "a:b:c",
            "a:b/c",
            "a:b@",
            "a:b@x",
            "type:world",
            "a_b:c",
            "Foo:bar",
            "a:1x",
        ] {
            assert!(package_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_hint_offers_the_kebab_form() {
        let error = identifier("ShoppingCart").unwrap_err();
        assert_eq!(error.code(), "WIT-020");
        assert!(error.hint().unwrap().contains("`shopping-cart`"));
    }
}
