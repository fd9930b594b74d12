// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / query: a search in an oplog, in the small Lucene dialect of Golem 1.1. In: `error AND NOT retry`. Out: yes or no
//! for an entry in its public form. Never touches IO. Bounds: [`QUERY_BYTES_MAX`], [`QUERY_DEPTH_MAX`], [`REGEX_BYTES_MAX`].
//! Read next: `public_oplog.rs`. Source: runtime spec §2.9.
//!
//! ```text
//! query  := and ( "OR" and )*
//! and    := not ( "AND"? not )*                  words side by side must all match
//! not    := "NOT"? ( field ( ":" | "=" ) )? one
//! one    := term | "a phrase" | /a regular expression/ | "(" query ")"
//! field  := name ( "." name )*                   the end of the path to a value: function_name, request.id
//! ```
//! A term matches what contains it, whatever the case; a phrase the same with the case. `\` takes the next character as it is.
//! Without a field everything that an entry says is looked at but its timestamp: its type, also with dashes
//! (`exported-function-completed`), and every value.

use regex_automata::meta::Regex;
use serde_json::Value as Json;

use crate::error::Coded;

/// Longest query: far more than anybody types, and short enough for the address of a request.
pub const QUERY_BYTES_MAX: usize = 4 << 10;
/// Deepest nesting of a query: a guard against stack overflow by hostile input.
pub const QUERY_DEPTH_MAX: usize = 64;
/// Bytes that the program of one regular expression may have, so that a short text cannot make a huge one.
pub const REGEX_BYTES_MAX: usize = 1 << 20;

/// A search.
#[derive(Debug, Clone)]
pub struct Query(Node);

#[derive(Debug, Clone)]
enum Node {
    Or(Vec<Node>),
    And(Vec<Node>),
    Not(Box<Node>),
    Field(Vec<String>, Box<Node>),
    /// In lower case.
    Term(String),
    Phrase(String),
    Regex(Box<Regex>),
}

/// A text that is no query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Something stands where it must not, or is missing.
    #[error("the query ends or goes wrong at character {at}: {detail}")]
    Syntax {
        /// Where, in characters from 1.
        at: usize,
        /// What was expected.
        detail: String,
    },
    /// A regular expression that is none, or too large.
    #[error("`/{pattern}/` in the query is not a regular expression: {detail}")]
    Regex {
        /// The expression.
        pattern: String,
        /// Why.
        detail: String,
    },
    /// Over a bound.
    #[error("the query is {0}")]
    TooLarge(&'static str),
}

impl Coded for QueryError {
    fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "VAL-052",
            Self::Regex { .. } => "VAL-053",
            Self::TooLarge(_) => "VAL-054",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Syntax { .. } => {
                "write for instance: exported-function AND NOT function_name:\"api.{get}\""
                    .to_owned()
            }
            Self::Regex { .. } => {
                r"write it between slashes, with \/ for a slash: /card-[0-9]+/".to_owned()
            }
            Self::TooLarge(_) => format!(
                "ask for less: a query has at most {QUERY_BYTES_MAX} bytes and {QUERY_DEPTH_MAX} parentheses inside each other"
            ),
        })
    }
}

impl std::str::FromStr for Query {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        if text.len() > QUERY_BYTES_MAX {
            return Err(QueryError::TooLarge("too long"));
        }
        let mut parser = Parser {
            text: text.chars().collect(),
            at: 0,
        };
        let node = parser.or(QUERY_DEPTH_MAX)?;
        parser.blank();
        match parser.peek() {
            None => Ok(Self(node)),
            Some(other) => Err(parser.wrong(format!("`{other}` has no partner"))),
        }
    }
}

impl Query {
    /// Whether an entry in its public form, as JSON, is searched for.
    #[must_use]
    pub fn matches(&self, entry: &Json) -> bool {
        let mut leaves = Vec::new();
        collect(entry, &mut Vec::new(), &mut leaves);
        let mut alias = None;
        if let Some(kind) = entry.get("type").and_then(Json::as_str) {
            alias = Some(dashed(kind));
        }
        if let Some(alias) = alias {
            leaves.push((vec!["type".to_owned()], alias));
        }
        self.0.matches(&leaves, &[])
    }
}

type Leaf = (Vec<String>, String);

/// Every value of `json` with the path of names to it. What types a value is no value; a list adds nothing to the path.
fn collect(json: &Json, path: &mut Vec<String>, leaves: &mut Vec<Leaf>) {
    match json {
        Json::Null => {}
        Json::Bool(v) => leaves.push((path.clone(), v.to_string())),
        Json::Number(v) => leaves.push((path.clone(), v.to_string())),
        Json::String(v) => leaves.push((path.clone(), v.clone())),
        Json::Array(items) => items.iter().for_each(|item| collect(item, path, leaves)),
        Json::Object(fields) => match (fields.len(), fields.get("typ"), fields.get("value")) {
            (2, Some(_), Some(value)) => collect(value, path, leaves),
            _ => {
                for (name, value) in fields {
                    path.push(normal(name));
                    collect(value, path, leaves);
                    path.pop();
                }
            }
        },
    }
}

/// Names in WIT have dashes, those of entries underscores: both mean the same here.
fn normal(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

/// `ExportedFunctionInvoked` as `exported-function-invoked`.
fn dashed(kind: &str) -> String {
    let mut text = String::with_capacity(kind.len() + 4);
    for c in kind.chars() {
        if c.is_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.extend(c.to_lowercase());
    }
    text
}

impl Node {
    fn matches(&self, leaves: &[Leaf], field: &[String]) -> bool {
        match self {
            Self::Or(nodes) => nodes.iter().any(|node| node.matches(leaves, field)),
            Self::And(nodes) => nodes.iter().all(|node| node.matches(leaves, field)),
            Self::Not(node) => !node.matches(leaves, field),
            Self::Field(names, node) => node.matches(leaves, &[field, names].concat()),
            Self::Term(_) | Self::Phrase(_) | Self::Regex(_) => leaves
                .iter()
                .any(|(path, text)| addressed(path, field) && self.found_in(text)),
        }
    }

    fn found_in(&self, text: &str) -> bool {
        match self {
            Self::Term(term) => text.to_lowercase().contains(term),
            Self::Phrase(phrase) => text.contains(phrase),
            Self::Regex(regex) => regex.is_match(text),
            Self::Or(_) | Self::And(_) | Self::Not(_) | Self::Field(..) => false,
        }
    }
}

/// Whether a search in `field` looks at the value with this path.
fn addressed(path: &[String], field: &[String]) -> bool {
    if field.is_empty() {
        path.first().is_none_or(|name| name != "timestamp")
    } else {
        path.ends_with(field)
    }
}

/// Characters that end a term.
const SPECIAL: &str = " \t\r\n():=\"\u{3000}";

struct Parser {
    text: Vec<char>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.at += usize::from(next.is_some());
        next
    }

    fn blank(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn wrong(&self, detail: impl Into<String>) -> QueryError {
        QueryError::Syntax {
            at: self.at + 1,
            detail: detail.into(),
        }
    }

    /// Takes `word` if it stands here as a word.
    fn keyword(&mut self, word: &str) -> bool {
        self.blank();
        let end = self.at + word.chars().count();
        let here = self
            .text
            .get(self.at..end)
            .is_some_and(|slice| slice.iter().copied().eq(word.chars()));
        let ends = self
            .text
            .get(end)
            .is_none_or(|c| c.is_whitespace() || *c == '(');
        if here && ends {
            self.at = end;
        }
        here && ends
    }

    fn or(&mut self, depth: usize) -> Result<Node, QueryError> {
        let mut nodes = vec![self.and(depth)?];
        while self.keyword("OR") {
            nodes.push(self.and(depth)?);
        }
        Ok(one_or(nodes, Node::Or))
    }

    fn and(&mut self, depth: usize) -> Result<Node, QueryError> {
        let mut nodes = vec![self.not(depth)?];
        loop {
            let explicit = self.keyword("AND");
            self.blank();
            let begin = self.at;
            let ends = self.peek().is_none_or(|c| c == ')') || self.keyword("OR");
            if ends && !explicit {
                self.at = begin;
                return Ok(one_or(nodes, Node::And));
            }
            self.at = begin;
            nodes.push(self.not(depth)?);
        }
    }

    fn not(&mut self, depth: usize) -> Result<Node, QueryError> {
        if self.keyword("NOT") {
            return Ok(Node::Not(Box::new(self.fielded(depth)?)));
        }
        self.fielded(depth)
    }

    fn fielded(&mut self, depth: usize) -> Result<Node, QueryError> {
        self.blank();
        let begin = self.at;
        if !matches!(self.peek(), None | Some('"' | '/' | '('))
            && let Ok(name) = self.term()
        {
            self.blank();
            if matches!(self.peek(), Some(':' | '=')) {
                self.at += 1;
                let names = name.split('.').map(normal).collect();
                return Ok(Node::Field(names, Box::new(self.one(depth)?)));
            }
            self.at = begin;
        }
        self.one(depth)
    }

    fn one(&mut self, depth: usize) -> Result<Node, QueryError> {
        self.blank();
        match self.peek() {
            Some('(') => {
                let depth = depth
                    .checked_sub(1)
                    .ok_or(QueryError::TooLarge("nested too deep"))?;
                self.at += 1;
                let node = self.or(depth)?;
                self.blank();
                if self.next() == Some(')') {
                    return Ok(node);
                }
                Err(self.wrong("a `)` is missing"))
            }
            Some('"') => Ok(Node::Phrase(self.quoted('"')?)),
            Some('/') => {
                let pattern = self.quoted('/')?;
                let config = Regex::config().nfa_size_limit(Some(REGEX_BYTES_MAX));
                let regex = Regex::builder().configure(config).build(&pattern);
                let regex = regex.map_err(|error| QueryError::Regex {
                    detail: error
                        .syntax_error()
                        .map_or_else(|| error.to_string(), ToString::to_string)
                        .lines()
                        .last()
                        .unwrap_or_default()
                        .to_owned(),
                    pattern,
                })?;
                Ok(Node::Regex(Box::new(regex)))
            }
            _ => Ok(Node::Term(self.term()?.to_lowercase())),
        }
    }

    /// What stands between two `quote`s.
    fn quoted(&mut self, quote: char) -> Result<String, QueryError> {
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err(self.wrong(format!("a `{quote}` is missing"))),
                Some('\\') if self.peek() == Some(quote) => {
                    self.at += 1;
                    text.push(quote);
                }
                Some(c) if c == quote => return Ok(text),
                Some(c) => text.push(c),
            }
        }
    }

    fn term(&mut self) -> Result<String, QueryError> {
        let (begin, mut text) = (self.at, String::new());
        while let Some(c) = self.peek() {
            if SPECIAL.contains(c) {
                break;
            }
            self.at += 1;
            text.push(if c == '\\' {
                self.next()
                    .ok_or_else(|| self.wrong("a character must follow `\\`"))?
            } else {
                c
            });
        }
        let is_word = ["AND", "OR", "NOT"].contains(&text.as_str());
        if text.is_empty() || is_word {
            let found = if is_word {
                text
            } else {
                self.peek().map_or("the end".to_owned(), |c| c.to_string())
            };
            self.at = begin;
            return Err(self.wrong(format!("a term was expected, found {found}")));
        }
        Ok(text)
    }
}

fn one_or(mut nodes: Vec<Node>, many: impl FnOnce(Vec<Node>) -> Node) -> Node {
    match (nodes.len(), nodes.pop()) {
        (1, Some(node)) => node,
        (_, last) => {
            nodes.extend(last);
            many(nodes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry() -> Json {
        json!({
            "type": "ExportedFunctionInvoked",
            "timestamp": "2026-11-24T19:00:00Z",
            "function_name": "shop:cart/api.{put}",
            "request": [{
                "typ": {"type": "Record", "fields": [{"name": "product-id", "typ": {"type": "Str"}}]},
                "value": {"product-id": "G1001", "count": 3, "tags": ["new", "red"]},
            }],
            "idempotency_key": "k-1",
        })
    }

    #[track_caller]
    fn check(query: &str, expect: bool) {
        let query: Query = query
            .parse()
            .unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(query.matches(&entry()), expect, "{query:?}");
    }

    #[test]
    fn terms_phrases_and_expressions_find_what_an_entry_says() {
        check("exported-function", true);
        check("exportedfunctioninvoked", true);
        check("EXPORTED", true);
        check("g1001", true);
        check("\"g1001\"", false);
        check("\"cart/api.{put}\"", true);
        check("/G[0-9]{4}/", true);
        check("/^G[0-9]{3}$/", false);
        check("record", false);
        check("2026", false);
        check("timestamp:2026", true);
        check("shop\\:cart/api.{put}", true);
    }

    #[test]
    fn fields_are_the_end_of_a_path() {
        check("product-id:G1001", true);
        check("request.product_id:G1001", true);
        check("request.count=3", true);
        check("count:4", false);
        check("tags:(new red)", true);
        check("tags:blue", false);
        check("function_name:G1001", false);
        check("type:exported", true);
        check("NOT tags:blue", true);
    }

    #[test]
    fn and_binds_more_than_or_and_words_side_by_side_are_anded() {
        check("put G1001", true);
        check("put nothing", false);
        check("put AND NOT nothing", true);
        check("nothing OR put AND k-1", true);
        check("(nothing OR put) AND nobody", false);
        check("nothing OR (put k-1)", true);
        check("NOT(nothing)", true);
        check("ORange OR put", true);
    }

    #[test]
    fn what_is_no_query_says_where_and_why() {
        for (query, code) in [
            ("", "VAL-052"),
            ("  ", "VAL-052"),
            ("(a", "VAL-052"),
            ("a)", "VAL-052"),
            ("a AND", "VAL-052"),
            ("AND a", "VAL-052"),
            ("a OR OR b", "VAL-052"),
            ("NOT", "VAL-052"),
            ("\"open", "VAL-052"),
            ("/open", "VAL-052"),
            ("field:", "VAL-052"),
            (":x", "VAL-052"),
            ("a\\", "VAL-052"),
            ("/(/", "VAL-053"),
            ("/((a{1000}){1000}){1000}/", "VAL-053"),
        ] {
            let error = query.parse::<Query>().unwrap_err();
            assert_eq!(error.code(), code, "{query}: {error}");
        }
        let error = "abc AND )".parse::<Query>().unwrap_err();
        assert!(error.to_string().contains("character 9"), "{error}");
        let deep = "(".repeat(QUERY_DEPTH_MAX + 1);
        assert_eq!(deep.parse::<Query>().unwrap_err().code(), "VAL-054");
        let long = "a".repeat(QUERY_BYTES_MAX + 1);
        assert_eq!(long.parse::<Query>().unwrap_err().code(), "VAL-054");
    }
}
