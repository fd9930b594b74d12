// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / trial/outside: the double of the network: answers by a table and remembers what had an effect. In: requests of
//! guests. Out: responses; how often each had an effect, as a careful peer would count it. Bound: one number per rule and one
//! entry per request. Read next: `run.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use golem_engine::{HttpRequest, HttpResponse, NetworkDouble};
use std::sync::Mutex;

use super::script::{Method, Mocked};

/// The header by which a peer knows a request again. Source: the IETF draft of that name.
const KEY: &str = "idempotency-key";

/// How often a request had an effect, by `METHOD URL`.
pub(super) type Effects = BTreeMap<String, u64>;

/// See the module's header.
#[derive(Debug)]
pub(super) struct Outside {
    rules: Vec<Mocked>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    effects: Effects,
    keys: BTreeSet<(String, Vec<u8>)>,
    refused: BTreeSet<String>,
    undeclared: BTreeSet<String>,
}

impl Outside {
    pub(super) fn new(rules: &[Mocked]) -> Arc<Self> {
        Arc::new(Self {
            rules: rules.to_vec(),
            seen: Mutex::default(),
        })
    }

    /// How often requests that match had an effect.
    pub(super) fn effects_of(&self, wanted: &Method) -> u64 {
        let seen = self.seen();
        let matching = seen.effects.iter().filter(|(request, _)| {
            request
                .split_once(' ')
                .is_some_and(|(method, url)| matches(wanted, method, url))
        });
        matching.map(|(_, count)| count).sum()
    }

    /// All effects of requests that must not be repeated.
    pub(super) fn effects(&self) -> Effects {
        let careful = |request: &String| {
            let (method, url) = request.split_once(' ').unwrap_or(("", ""));
            // What HTTP calls idempotent may be sent again by anybody.
            let unsafe_again = matches!(method, "POST" | "PATCH");
            let rule = self.rule(method, url);
            unsafe_again && rule.is_none_or(|rule| !rule.repeatable)
        };
        let seen = self.seen();
        let effects = seen.effects.iter();
        effects
            .filter(|(request, _)| careful(request))
            .map(|(request, count)| (request.clone(), *count))
            .collect()
    }

    /// Requests that no rule answers.
    pub(super) fn refused(&self) -> Vec<String> {
        self.seen().refused.iter().cloned().collect()
    }

    /// Requests that the capabilities of their components do not allow.
    pub(super) fn undeclared(&self) -> Vec<String> {
        self.seen().undeclared.iter().cloned().collect()
    }

    fn rule(&self, method: &str, url: &str) -> Option<&Mocked> {
        self.rules
            .iter()
            .find(|rule| matches(&rule.on, method, url))
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        // Nothing that holds it can fail halfway.
        self.seen
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Scheme, host and path of a request.
fn url(request: &HttpRequest) -> String {
    let authority = request.authority.as_deref().unwrap_or_default();
    format!(
        "{}://{authority}{}",
        request.scheme, request.path_with_query
    )
}

fn matches(rule: &Method, method: &str, url: &str) -> bool {
    let same = match rule.url.strip_suffix('*') {
        Some(start) => url.starts_with(start),
        None => url == rule.url,
    };
    same && rule.method == method
}

impl NetworkDouble for Outside {
    fn answer(&self, request: &HttpRequest) -> Option<HttpResponse> {
        let url = url(request);
        let asked = format!("{} {url}", request.method);
        let Some(rule) = self.rule(&request.method, &url) else {
            self.seen().refused.insert(asked);
            return None;
        };
        let key = request.headers.iter().find(|(name, _)| name == KEY);
        let mut seen = self.seen();
        let new = match key {
            Some((_, key)) => seen.keys.insert((asked.clone(), key.clone())),
            None => true,
        };
        if new {
            *seen.effects.entry(asked).or_default() += 1;
        }
        let headers = rule.headers.iter();
        Some(HttpResponse {
            status: rule.status,
            headers: headers
                .map(|(name, value)| (name.to_ascii_lowercase(), value.clone().into_bytes()))
                .collect(),
            body: rule.body.clone().into_bytes(),
            trailers: None,
        })
    }

    fn undeclared(&self, request: &HttpRequest) {
        let asked = format!("{} {}", request.method, url(request));
        self.seen().undeclared.insert(asked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_knows_keys_counts_a_repeated_request_once() {
        let on = |text: &str| {
            let (method, url) = text.split_once(' ').unwrap();
            Method {
                method: method.into(),
                url: url.into(),
            }
        };
        let rule = |text: &str, repeatable| Mocked {
            on: on(text),
            status: 201,
            headers: vec![("X-A".into(), "b".into())],
            body: "done".into(),
            repeatable,
        };
        let outside = Outside::new(&[
            rule("POST http://bank/charge", false),
            rule("POST http://bank/log*", true),
            rule("GET http://bank/*", false),
        ]);
        let send = |method: &str, path: &str, key: Option<&str>| {
            let headers = key.map(|key| ("idempotency-key".to_owned(), key.as_bytes().to_vec()));
            outside.answer(&HttpRequest {
                method: method.into(),
                scheme: "http".into(),
                authority: Some("bank".into()),
                path_with_query: path.into(),
                headers: headers.into_iter().collect(),
                body: Vec::new(),
            })
        };
        let answer = send("POST", "/charge", Some("k1")).unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (201, &b"done"[..]));
        assert_eq!(answer.headers, [("x-a".to_owned(), b"b".to_vec())]);
        send("POST", "/charge", Some("k1")).unwrap();
        send("POST", "/charge", Some("k2")).unwrap();
        assert_eq!(outside.effects_of(&on("POST http://bank/charge")), 2);
        send("POST", "/charge", None).unwrap();
        send("POST", "/charge", None).unwrap();
        send("POST", "/log?x", None).unwrap();
        send("GET", "/state", None).unwrap();
        assert!(send("DELETE", "/charge", None).is_none());
        assert_eq!(outside.effects_of(&on("POST http://bank/*")), 5);
        let counted: Effects = [("POST http://bank/charge".to_owned(), 4)].into();
        assert_eq!(outside.effects(), counted);
        assert_eq!(outside.refused(), ["DELETE http://bank/charge"]);
    }
}
