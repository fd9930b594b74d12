// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / network: where guests may connect to. In: rules. Out: yes or no for a host and for the address that its name
//! stands for. Nothing is allowed unless a rule says so. Read next: `client.rs`. Source: reliability spec §5.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::super::sockets::ListenRule;

/// Hosts that guests may connect to, and addresses that they may listen on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    rules: Vec<HostRule>,
    listen: Vec<ListenRule>,
}

/// One of them: `api.example.com`, `*.example.com`, `*`, an address, each with `:PORT` or for every port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    host: HostPattern,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostPattern {
    /// Every name with a public address.
    Any,
    /// Names below this one.
    Below(String),
    /// This name.
    Name(String),
    /// This address.
    Address(IpAddr),
}

/// A text that is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a host: write `api.example.com`, `*.example.com:443`, `127.0.0.1:8080`, `[::1]:8080` or `*`"
)]
pub struct BadRule(String);

impl FromStr for HostRule {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        let bad = || BadRule(text.chars().take(100).collect());
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self {
                host: HostPattern::Address(address),
                port: None,
            });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() => {
                (host, Some(port.parse::<u16>().map_err(|_| bad())?))
            }
            Some(_) => return Err(bad()),
            None => (text, None),
        };
        let name = host.to_ascii_lowercase();
        let address = name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(&name);
        let host = if name == "*" {
            HostPattern::Any
        } else if let Ok(address) = address.parse() {
            HostPattern::Address(address)
        } else {
            let below = name.strip_prefix("*.");
            let plain = below.unwrap_or(&name);
            let is_name = !plain.is_empty()
                && plain.split('.').all(|label| {
                    !label.is_empty()
                        && label
                            .bytes()
                            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
                });
            if !is_name {
                return Err(bad());
            }
            match below {
                Some(below) => HostPattern::Below(below.to_owned()),
                None => HostPattern::Name(name),
            }
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostPattern::Any => f.write_str("*")?,
            HostPattern::Below(name) => write!(f, "*.{name}")?,
            HostPattern::Name(name) => f.write_str(name)?,
            HostPattern::Address(IpAddr::V6(address)) if self.port.is_some() => {
                write!(f, "[{address}]")?;
            }
            HostPattern::Address(address) => write!(f, "{address}")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl HostRule {
    fn names(&self, host: &str, port: u16) -> bool {
        self.port.is_none_or(|own| own == port) && self.names_host(host)
    }

    fn names_host(&self, host: &str) -> bool {
        match &self.host {
            HostPattern::Any => true,
            HostPattern::Below(name) => host
                .strip_suffix(name.as_str())
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            HostPattern::Name(name) => host == name,
            HostPattern::Address(address) => host.parse() == Ok(*address),
        }
    }

    /// Whether the rule says this very address, so that it is meant although it is not a public one.
    fn says(&self, address: IpAddr, port: u16) -> bool {
        self.port.is_none_or(|own| own == port)
            && match &self.host {
                HostPattern::Address(own) => own.to_canonical() == address,
                HostPattern::Name(name) => name == "localhost" && address.is_loopback(),
                HostPattern::Any | HostPattern::Below(_) => false,
            }
    }
}

impl Network {
    /// What `rules` allow. Guests listen nowhere.
    #[must_use]
    pub fn new(rules: Vec<HostRule>) -> Self {
        let listen = Vec::new();
        Self { rules, listen }
    }

    /// The same, and guests may listen where `listen` says.
    #[must_use]
    pub fn listening(self, listen: Vec<ListenRule>) -> Self {
        Self { listen, ..self }
    }

    /// Whether guests may listen anywhere.
    pub(crate) fn listens(&self) -> bool {
        !self.listen.is_empty()
    }

    /// Whether a guest may take an address for itself.
    pub(crate) fn allows_listening(&self, address: SocketAddr) -> bool {
        self.listen.iter().any(|rule| rule.says(address))
    }

    /// Whether a host may be asked for at all; its name is looked up only then. `host`: lower case, no brackets.
    pub(crate) fn allows_host(&self, host: &str, port: u16) -> bool {
        self.rules.iter().any(|rule| rule.names(host, port))
    }

    /// Whether a name may be looked up: a rule has it, for any port. `host`: lower case, no brackets.
    pub(crate) fn allows_name(&self, host: &str) -> bool {
        self.rules.iter().any(|rule| rule.names_host(host))
    }

    /// Whether guests may connect to nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether the address that an allowed host stands for may be connected to: a public one, or one that a rule says
    /// itself. So a name that was pointed to the inside of a network leads nowhere.
    pub(crate) fn allows_address(&self, address: IpAddr, port: u16) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.rules.iter().any(|rule| rule.says(address, port))
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 198 && (18..20).contains(&b))
        || (a == 192 && b == 0 && c == 0);
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let special = address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || a & 0xfe00 == 0xfc00
        || a & 0xffc0 == 0xfe80
        || a & 0xffc0 == 0xfec0
        || (a == 0x2001 && b == 0xdb8)
        // Addresses that carry one of IPv4: NAT64, 6to4, Teredo, and the old form without a mapping.
        || (a == 0x64 && b == 0xff9b)
        || a == 0x2002
        || (a == 0x2001 && b == 0)
        || (a == 0 && b == 0);
    !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(rules: &[&str]) -> Network {
        Network::new(rules.iter().map(|rule| rule.parse().unwrap()).collect())
    }

    #[test]
    fn rules_are_read_and_written() {
        for rule in [
            "api.example.com",
            "*.example.com:443",
            "*",
            "*:80",
            "127.0.0.1:8080",
            "::1",
            "[::1]:80",
            "localhost",
        ] {
            assert_eq!(rule.parse::<HostRule>().unwrap().to_string(), rule);
        }
        for rule in [
            "", ":80", "a:b", "a..b", "http://a", "a/b", "*.", "a*", "a:70000",
        ] {
            assert!(rule.parse::<HostRule>().is_err(), "{rule}");
        }
    }

    #[test]
    fn only_hosts_of_a_rule_are_allowed() {
        let some = network(&["api.example.com:443", "*.internal.example"]);
        assert!(some.allows_host("api.example.com", 443));
        assert!(some.allows_host("a.internal.example", 80));
        for (host, port) in [
            ("api.example.com", 80),
            ("example.com", 443),
            ("internal.example", 80),
            ("ainternal.example", 80),
            ("evil.example", 443),
        ] {
            assert!(!some.allows_host(host, port), "{host}");
        }
        assert!(!network(&[]).allows_host("example.com", 80));
        assert!(some.allows_name("api.example.com") && !some.allows_name("example.com"));
        assert!(network(&[]).is_empty() && !some.is_empty());
    }

    #[test]
    fn addresses_inside_are_refused_unless_a_rule_says_them() {
        let open = network(&["*"]);
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "::7f00:1",
        ] {
            assert!(
                !open.allows_address(address.parse().unwrap(), 80),
                "{address}"
            );
        }
        for address in ["93.184.216.34", "2606:2800:220:1::1"] {
            assert!(
                open.allows_address(address.parse().unwrap(), 80),
                "{address}"
            );
        }
        let local = network(&["127.0.0.1:8080", "localhost:9"]);
        assert!(local.allows_address("127.0.0.1".parse().unwrap(), 8080));
        assert!(local.allows_address("::ffff:127.0.0.1".parse().unwrap(), 8080));
        assert!(!local.allows_address("127.0.0.1".parse().unwrap(), 80));
        assert!(local.allows_address("::1".parse().unwrap(), 9));
        // A rule for a name says nothing about addresses inside.
        let named = network(&["inside.example"]);
        assert!(!named.allows_address("10.0.0.1".parse().unwrap(), 80));
    }
}
