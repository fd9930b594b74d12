// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/guard: keeps web pages out. In: the head of a request. Out: go on, or a 403. Never knows users.
//! Read next: `listen.rs`. Source: architecture D19, reliability spec §5.
//!
//! A server on loopback needs no token, yet any web page that its user opens can send requests to it. Two rules close
//! that: a request that a browser marks with an `Origin` must come from a page of this server, and a request must name
//! us by address or `localhost`, because a page of `evil.example` whose name was pointed at 127.0.0.1 says that name.

use std::net::IpAddr;

use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::uri::Authority;

use super::error::RequestError;
use super::extract::short;

/// Which requests are let in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guard {
    /// Whether only addresses and `localhost` name this server: yes when it listens on loopback.
    pub(crate) local_names_only: bool,
}

impl Guard {
    /// Errors: `ForeignOrigin`.
    pub(crate) fn check(self, head: &Parts) -> Result<(), RequestError> {
        let host = head
            .headers
            .get(HOST)
            .map(|value| value.to_str().unwrap_or("?"));
        let named = head.uri.authority().map(Authority::as_str).or(host);
        if let Some(named) = named.filter(|named| self.local_names_only && !is_local(named)) {
            return Err(RequestError::ForeignOrigin {
                origin: short(named),
            });
        }
        let Some(origin) = head.headers.get(ORIGIN) else {
            return Ok(());
        };
        let origin = origin.to_str().unwrap_or("?");
        let page = origin.split_once("://").map(|(_, authority)| authority);
        if page.is_some() && page == named {
            Ok(())
        } else {
            Err(RequestError::ForeignOrigin {
                origin: short(origin),
            })
        }
    }
}

/// Whether `named` (host and maybe port) is an IP address, `localhost` or below it.
fn is_local(named: &str) -> bool {
    let Ok(authority) = named.parse::<Authority>() else {
        return false;
    };
    let host = authority.host();
    let address = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    address.parse::<IpAddr>().is_ok() || name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn check(local_names_only: bool, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::get("/version");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        Guard { local_names_only }.check(&head).is_ok()
    }

    #[test]
    fn programs_and_own_pages_are_let_in() {
        assert!(check(true, &[]));
        for host in [
            "127.0.0.1:9881",
            "[::1]:9881",
            "localhost:9881",
            "LOCALHOST",
            "a.localhost:1",
        ] {
            assert!(check(true, &[("host", host)]), "{host}");
            let origin = format!("http://{host}");
            assert!(
                check(true, &[("host", host), ("origin", &origin)]),
                "{host}"
            );
        }
        assert!(check(false, &[("host", "golem.example")]));
    }

    #[test]
    fn foreign_pages_and_rebound_names_are_refused() {
        for host in [
            "evil.example",
            "evil.example:9881",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "",
        ] {
            assert!(!check(true, &[("host", host)]), "{host}");
        }
        for origin in [
            "http://evil.example",
            "null",
            "http://127.0.0.1:1",
            "",
            "127.0.0.1:9881",
        ] {
            assert!(
                !check(true, &[("host", "127.0.0.1:9881"), ("origin", origin)]),
                "{origin}"
            );
            assert!(
                !check(false, &[("host", "127.0.0.1:9881"), ("origin", origin)]),
                "{origin}"
            );
        }
    }
}
