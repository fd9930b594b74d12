// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / proxies: who is behind a proxy. In: networks whose word counts, the other end of a connection, a head. Out: whose request
//! it is, and whether it came by TLS. Bound: [`HOPS_MAX`]. Never believes anybody else: without a network
//! that has the other end, nothing is read. Read next: `listen.rs` (who asks this), `http/gate.rs` (who uses it).
//! Source: RFC 7239; docs/front-door.md.
//!
//! Each proxy writes down whom it heard, behind what it was told. So the list is read from its end: what a trusted proxy has written
//! counts, and the first address that is none of a trusted proxy is that of the client. What stands before it anybody may have written.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::http::HeaderMap;
use axum::http::header::FORWARDED;
use axum::http::uri::Authority;

/// Most proxies that one request has passed and that are looked at: what is longer was not made by proxies.
const HOPS_MAX: usize = 16;
/// The headers that proxies write who do not write `Forwarded`.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// See [`FORWARDED_FOR`].
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// Addresses of proxies: one, or all of a network, `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyNetwork {
    address: IpAddr,
    bits: u32,
}

/// A text that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadProxy {
    /// No address before the `/`, or none at all.
    #[error("expected an address or a network, such as 10.0.0.0/8 or 2001:db8::1")]
    Address,
    /// What stands behind the `/` is no number of bits of such an address.
    #[error("expected a number of bits behind the slash: up to 32 for IPv4, up to 128 for IPv6")]
    Bits,
    /// Everybody would be a proxy, and could say that they are anybody.
    #[error("a network of 0 bits has every address, so everybody could say who they are")]
    Everybody,
}

impl FromStr for ProxyNetwork {
    type Err = BadProxy;

    fn from_str(text: &str) -> Result<Self, BadProxy> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| BadProxy::Address)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            // `parse` would take a sign.
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().map_err(|_| BadProxy::Bits)?
            }
            Some(_) => return Err(BadProxy::Bits),
        };
        match bits {
            0 => Err(BadProxy::Everybody),
            bits if bits > most => Err(BadProxy::Bits),
            bits => Ok(Self { address, bits }),
        }
    }
}

impl ProxyNetwork {
    fn has(self, address: IpAddr) -> bool {
        // There is at least one bit, so no shift is as long as the address.
        match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                (ours.to_bits() ^ theirs.to_bits()) >> (32 - self.bits) == 0
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                (ours.to_bits() ^ theirs.to_bits()) >> (128 - self.bits) == 0
            }
            _ => false,
        }
    }
}

/// Whose request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The address; port 0 where nobody has said it.
    pub(crate) address: SocketAddr,
    /// The proxy at the other end of the connection, if it is one whose word counts.
    pub(crate) via: Option<SocketAddr>,
    /// Whether such a proxy says that it was reached by TLS.
    pub(crate) encrypted: bool,
}

impl Origin {
    /// Of a connection without a proxy.
    pub(crate) const fn direct(address: SocketAddr) -> Self {
        Self {
            address,
            via: None,
            encrypted: false,
        }
    }
}

/// One proxy's line: whom it heard, and by which scheme. Absent where it does not say so in a way that can be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Hop {
    address: Option<SocketAddr>,
    scheme: Option<String>,
}

/// The proxies that a server trusts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies(Vec<ProxyNetwork>);

impl Proxies {
    /// Those in these networks.
    pub(crate) fn new(networks: Vec<ProxyNetwork>) -> Self {
        Self(networks)
    }

    /// Whether there are any.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.has(address))
    }

    /// Whose request came over a connection with `peer`.
    pub(crate) fn origin(&self, peer: SocketAddr, headers: &HeaderMap) -> Origin {
        if !self.has(peer.ip()) {
            return Origin::direct(peer);
        }
        let standard = forwarded(headers).map(|hops| self.client(peer, &hops));
        let usual = x_forwarded(headers).map(|hops| self.client(peer, &hops));
        let (address, encrypted) = match (standard, usual) {
            (None, None) => (peer, false),
            (Some(said), None) | (None, Some(said)) => said,
            // A proxy writes one of them and hands on the other as the client wrote it: where they differ nobody knows which.
            (Some(one), Some(other)) if one.0.ip() == other.0.ip() => (one.0, one.1 && other.1),
            (Some(_), Some(_)) => (peer, false),
        };
        Origin {
            address,
            via: Some(peer),
            encrypted,
        }
    }

    /// The first address from the end that is no trusted proxy's, and whether it came by TLS. Who is not readable, or behind too many
    /// proxies, counts as the last trusted one that spoke of them.
    fn client(&self, peer: SocketAddr, hops: &[Hop]) -> (SocketAddr, bool) {
        let mut last = (peer, false);
        for hop in hops.iter().rev().take(HOPS_MAX) {
            let encrypted = hop.scheme.as_deref() == Some("https");
            let Some(address) = hop.address else {
                return (last.0, encrypted);
            };
            last = (address, encrypted);
            if !self.has(address.ip()) {
                break;
            }
        }
        last
    }
}

/// The lines of `Forwarded`, the oldest first; `None` without the header. A header that is not as RFC 7239 says is one unreadable line.
fn forwarded(headers: &HeaderMap) -> Option<Vec<Hop>> {
    let mut values = headers.get_all(FORWARDED).iter().peekable();
    values.peek()?;
    let mut hops = Vec::new();
    for value in values {
        let elements = value.to_str().ok().and_then(elements);
        hops.extend(elements.unwrap_or_else(|| vec![Hop::default()]));
    }
    Some(hops)
}

/// `for=192.0.2.1;proto=https, for="[2001:db8::1]:4711"`. `None` when it is not of that form.
fn elements(text: &str) -> Option<Vec<Hop>> {
    let mut hops = vec![Hop::default()];
    let (mut rest, mut named) = (text.trim(), false);
    loop {
        let (name, behind) = rest.split_once('=')?;
        let name = name.trim_start();
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return None;
        }
        let (value, behind) = match behind.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = behind.find([';', ',']).unwrap_or(behind.len());
                let (value, behind) = behind.split_at(end);
                (value.trim_end().to_owned(), behind)
            }
        };
        let hop = hops.last_mut()?;
        if name.eq_ignore_ascii_case("for") {
            // Twice is once too often: nobody knows which one counts.
            if std::mem::replace(&mut named, true) {
                return None;
            }
            hop.address = node(&value);
        } else if name.eq_ignore_ascii_case("proto") {
            hop.scheme = Some(value.to_ascii_lowercase());
        }
        let behind = behind.trim_start();
        rest = match (behind.strip_prefix(';'), behind.strip_prefix(',')) {
            _ if behind.is_empty() => return Some(hops),
            (Some(pair), _) => pair,
            (_, Some(element)) => {
                hops.push(Hop::default());
                named = false;
                element
            }
            _ => return None,
        };
    }
}

/// The text up to the closing quote, and what stands behind it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(chars.next()?.1),
            char => value.push(char),
        }
    }
    None
}

/// The lines of `X-Forwarded-For`, the oldest first, with those of `X-Forwarded-Proto` where there is one for each, else with its last.
/// `None` without any address: a scheme alone says nothing of who it is.
fn x_forwarded(headers: &HeaderMap) -> Option<Vec<Hop>> {
    let all = |name: &str| -> Vec<String> {
        let values = headers.get_all(name).iter();
        let texts = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let list = texts.collect::<Vec<_>>().join(",");
        list.split(',').map(|item| item.trim().to_owned()).collect()
    };
    let schemes: Vec<String> = all(FORWARDED_PROTO);
    headers.get(FORWARDED_FOR)?;
    let addresses = all(FORWARDED_FOR);
    let each = schemes.len() == addresses.len();
    let scheme = |at: usize| {
        let found = if each {
            schemes.get(at)
        } else {
            schemes.last()
        };
        found.map(|scheme| scheme.to_ascii_lowercase())
    };
    let hop = |(at, address): (usize, &String)| Hop {
        address: node(address),
        scheme: scheme(at),
    };
    Some(addresses.iter().enumerate().map(hop).collect())
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`. Names, `unknown` and `_hidden` are no addresses.
fn node(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address.to_canonical(), 0));
    }
    let authority: Authority = text.parse().ok()?;
    if authority.as_str().contains('@') {
        return None;
    }
    let host = authority.host();
    let bracketed = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address: IpAddr = bracketed.unwrap_or(host).parse().ok()?;
    let port = authority.port_u16();
    // A port that is none is no port at all: `1.2.3.4:` and `1.2.3.4:x`.
    if port.is_none() && authority.as_str() != host {
        return None;
    }
    Some(SocketAddr::new(address.to_canonical(), port.unwrap_or(0)))
}

#[cfg(test)]
mod tests;
