// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / listen: addresses that guests may take for themselves. In: rules of whoever starts the server. Out: yes or no.
//! Nothing is allowed unless a rule says so. Read next: `../http/network.rs`, `tcp.rs`, `udp.rs`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// An address with a port that guests may bind and listen on: `127.0.0.1:8080`, `[::1]:8080`, `0.0.0.0:53` for every
/// address of the machine, `127.0.0.1:0` for a port that the system chooses, `127.0.0.1:*` for every port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenRule {
    address: IpAddr,
    /// `None` stands for every port.
    port: Option<u16>,
}

/// A text that is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no address to listen on: write `127.0.0.1:8080`, `[::1]:8080`, `0.0.0.0:53`, `127.0.0.1:0` or `127.0.0.1:*`"
)]
pub struct BadListenRule(String);

impl FromStr for ListenRule {
    type Err = BadListenRule;

    fn from_str(text: &str) -> Result<Self, BadListenRule> {
        let bad = || BadListenRule(text.chars().take(100).collect());
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self {
                address: address.ip(),
                port: Some(address.port()),
            });
        }
        let address = text.strip_suffix(":*").ok_or_else(bad)?;
        // The same brackets as with a port that is a number.
        let address: SocketAddr = format!("{address}:0").parse().map_err(|_| bad())?;
        Ok(Self {
            address: address.ip(),
            port: None,
        })
    }
}

impl fmt::Display for ListenRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            IpAddr::V4(address) => write!(f, "{address}:")?,
            IpAddr::V6(address) => write!(f, "[{address}]:")?,
        }
        match self.port {
            Some(port) => write!(f, "{port}"),
            None => f.write_str("*"),
        }
    }
}

impl ListenRule {
    /// Whether the rule has this address: it says it, or it says every address of its family.
    pub(crate) fn says(&self, address: SocketAddr) -> bool {
        let every = self.address.is_unspecified() && self.address.is_ipv4() == address.is_ipv4();
        (every || self.address == address.ip()) && self.port.is_none_or(|own| own == address.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_written() {
        for rule in [
            "127.0.0.1:8080",
            "[::1]:8080",
            "0.0.0.0:53",
            "127.0.0.1:0",
            "127.0.0.1:*",
            "[::]:*",
        ] {
            assert_eq!(rule.parse::<ListenRule>().unwrap().to_string(), rule);
        }
        for rule in [
            "",
            "8080",
            ":8080",
            "localhost:80",
            "127.0.0.1",
            "::1",
            "::1:*",
            "*:80",
            "*",
            "127.0.0.1:70000",
        ] {
            assert!(rule.parse::<ListenRule>().is_err(), "{rule}");
        }
    }

    #[test]
    fn a_rule_has_its_address_and_its_port_only() {
        let table = [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("127.0.0.1:80", "0.0.0.0:80", false),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("127.0.0.1:0", "127.0.0.1:0", true),
            ("127.0.0.1:0", "127.0.0.1:80", false),
            ("127.0.0.1:*", "127.0.0.1:0", true),
            ("127.0.0.1:*", "127.0.0.1:80", true),
            ("0.0.0.0:80", "0.0.0.0:80", true),
            ("0.0.0.0:80", "10.0.0.1:80", true),
            ("0.0.0.0:80", "[::]:80", false),
            ("[::]:80", "[::1]:80", true),
            ("[::]:80", "127.0.0.1:80", false),
        ];
        for (rule, address, allowed) in table {
            let rule: ListenRule = rule.parse().unwrap();
            assert_eq!(
                rule.says(address.parse().unwrap()),
                allowed,
                "{rule} {address}"
            );
        }
    }
}
