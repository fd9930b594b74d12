// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / network: where guests may connect to. In: rules. Out: yes or no for a host and for the address that its name
//! stands for. Nothing is allowed unless a rule says so. Read next: `client.rs`. Source: reliability spec §5.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use golem_model::capabilities::{CapabilityError, NetworkAccess};

use super::super::sockets::ListenRule;

/// Hosts that guests may connect to, and addresses that they may listen on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    rules: Vec<HostRule>,
    listen: Vec<ListenRule>,
    /// What has to allow it as well: for a component, the rules of the server.
    within: Option<Arc<Network>>,
}

/// One of them: `api.example.com`, `*.example.com`, `*`, an address, each with `:PORT` or for every port. With `https://` or
/// `http://` in front it is for requests of that kind only, on the usual port if it says none, and for no socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    scheme: Option<Scheme>,
    host: HostPattern,
    port: Option<u16>,
}

/// What a guest speaks with a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// A request in plain text.
    Http,
    /// A request over TLS.
    Https,
}

impl Scheme {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Http => "http://",
            Self::Https => "https://",
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
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
    "`{0}` is not a host: write `api.example.com`, `https://api.example.com`, `*.example.com:443`, `127.0.0.1:8080`, `[::1]:8080` or `*`"
)]
pub struct BadRule(String);

impl FromStr for HostRule {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        let bad = || BadRule(text.chars().take(100).collect());
        let (scheme, text) = [Scheme::Http, Scheme::Https]
            .into_iter()
            .find_map(|scheme| Some((Some(scheme), text.strip_prefix(scheme.prefix())?)))
            .unwrap_or((None, text));
        let usual = scheme.map(Scheme::port);
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self {
                scheme,
                host: HostPattern::Address(address),
                port: usual,
            });
        }
        let (host, port) = match text.rsplit_once(':') {
            // An address of IPv6 in brackets has colons of its own.
            _ if text.ends_with(']') => (text, None),
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
        let port = port.or(usual);
        Ok(Self { scheme, host, port })
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scheme.map_or("", Scheme::prefix))?;
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
    /// Whether the rule is for this host and port. `scheme`: of a request; a socket has none.
    fn names(&self, scheme: Option<Scheme>, host: &str, port: u16) -> bool {
        self.scheme.is_none_or(|own| Some(own) == scheme)
            && self.port.is_none_or(|own| own == port)
            && self.names_host(host)
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
        Self {
            rules,
            ..Self::default()
        }
    }

    /// What a component declares. Errors: `BadRule`.
    pub(crate) fn declared(access: &NetworkAccess) -> Result<Self, CapabilityError> {
        fn read<T: FromStr<Err: fmt::Display>>(
            key: &'static str,
            rules: &[String],
        ) -> Result<Vec<T>, CapabilityError> {
            let read = rules.iter().map(|rule| {
                rule.parse::<T>().map_err(|error| CapabilityError::BadRule {
                    key,
                    why: error.to_string(),
                })
            });
            read.collect()
        }
        Ok(Self::new(read("network.allow", &access.allow)?)
            .listening(read("network.listen", &access.listen)?))
    }

    /// The same, of which only that counts which `outer` allows as well.
    pub(crate) fn within(self, outer: Arc<Self>) -> Self {
        Self {
            within: Some(outer),
            ..self
        }
    }

    /// Whether the rules around these ones agree.
    fn outer(&self, agrees: impl FnOnce(&Self) -> bool) -> bool {
        self.within.as_deref().is_none_or(agrees)
    }

    /// The same, and guests may listen where `listen` says.
    #[must_use]
    pub fn listening(self, listen: Vec<ListenRule>) -> Self {
        Self { listen, ..self }
    }

    /// Whether guests may listen anywhere.
    pub(crate) fn listens(&self) -> bool {
        !self.listen.is_empty() && self.outer(Self::listens)
    }

    /// Whether a guest may take an address for itself.
    pub(crate) fn allows_listening(&self, address: SocketAddr) -> bool {
        self.listen.iter().any(|rule| rule.says(address))
            && self.outer(|outer| outer.allows_listening(address))
    }

    /// Whether a socket may connect to a host at all; its name is looked up only then. `host`: lower case, no brackets.
    pub(crate) fn allows_host(&self, host: &str, port: u16) -> bool {
        self.allows(None, host, port)
    }

    /// The same for a request.
    pub(crate) fn allows_request(&self, scheme: Scheme, host: &str, port: u16) -> bool {
        self.allows(Some(scheme), host, port)
    }

    /// Whether a component may send a request by what it declares itself, whatever the server around it allows; one that declares
    /// nothing asks for everything. For a double of the network, whose own rules stand for those of the server.
    pub(crate) fn declares_request(&self, scheme: Scheme, host: &str, port: u16) -> bool {
        self.within.is_none() || self.names(Some(scheme), host, port)
    }

    /// The same for the address that a host stands for, as far as that is known without looking it up: for an address in the place
    /// of a name, and for `localhost`.
    pub(crate) fn declares_address(&self, host: &str, port: u16) -> bool {
        let address = match host {
            "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            _ => host.parse::<IpAddr>().ok(),
        };
        let reaches = |address: IpAddr| {
            let address = address.to_canonical();
            is_public(address) || self.rules.iter().any(|rule| rule.says(address, port))
        };
        self.within.is_none() || address.is_none_or(reaches)
    }

    /// Whether a rule of its own names it.
    fn names(&self, scheme: Option<Scheme>, host: &str, port: u16) -> bool {
        self.rules.iter().any(|rule| rule.names(scheme, host, port))
    }

    fn allows(&self, scheme: Option<Scheme>, host: &str, port: u16) -> bool {
        self.names(scheme, host, port) && self.outer(|outer| outer.allows(scheme, host, port))
    }

    /// Whether a name may be looked up: a rule has it, for any port. `host`: lower case, no brackets.
    pub(crate) fn allows_name(&self, host: &str) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.scheme.is_none() && rule.names_host(host))
            && self.outer(|outer| outer.allows_name(host))
    }

    /// Whether guests may connect to nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty() || !self.outer(|outer| !outer.is_empty())
    }

    /// Whether the address that an allowed host stands for may be connected to: a public one, or one that a rule says
    /// itself. So a name that was pointed to the inside of a network leads nowhere.
    pub(crate) fn allows_address(&self, address: IpAddr, port: u16) -> bool {
        let address = address.to_canonical();
        is_public(address)
            || self.rules.iter().any(|rule| rule.says(address, port))
                && self.outer(|outer| outer.allows_address(address, port))
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
    fn a_double_asks_only_for_what_the_component_declares() {
        let declared = |rules: &[&str]| network(rules).within(Arc::default());
        let silent = Network::default();
        assert!(silent.declares_request(Scheme::Http, "a.example", 80));
        assert!(silent.declares_address("127.0.0.1", 80));
        let some = declared(&["https://a.example", "10.0.0.7:8080", "*:80", "localhost"]);
        for (scheme, host, port, request, address) in [
            (Scheme::Https, "a.example", 443, true, true),
            (Scheme::Http, "a.example", 443, false, true),
            (Scheme::Http, "b.example", 80, true, true),
            (Scheme::Http, "10.0.0.7", 8080, true, true),
            (Scheme::Http, "10.0.0.7", 80, true, false),
            (Scheme::Http, "::1", 80, true, true),
            (Scheme::Http, "::2", 80, true, false),
            (Scheme::Http, "localhost", 9000, true, true),
        ] {
            let found = (
                some.declares_request(scheme, host, port),
                some.declares_address(host, port),
            );
            assert_eq!(found, (request, address), "{host}:{port}");
        }
        assert!(!declared(&["*"]).declares_address("localhost", 80));
        assert!(!declared(&[]).declares_request(Scheme::Https, "a.example", 443));
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
            "http://localhost:8080",
            "https://*.example.com:8443",
            "https://[::1]:443",
        ] {
            assert_eq!(rule.parse::<HostRule>().unwrap().to_string(), rule);
        }
        for (rule, full) in [
            ("https://api.example.com", "https://api.example.com:443"),
            ("http://*", "http://*:80"),
            ("http://::1", "http://[::1]:80"),
            ("https://[::1]", "https://[::1]:443"),
        ] {
            assert_eq!(rule.parse::<HostRule>().unwrap().to_string(), full);
        }
        for rule in [
            "",
            ":80",
            "a:b",
            "a..b",
            "http://",
            "ftp://a",
            "https://a/",
            "a/b",
            "*.",
            "a*",
            "a:70000",
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
    fn a_rule_with_a_scheme_is_for_requests_of_that_kind_only() {
        let some = network(&["https://api.example.com"]);
        assert!(some.allows_request(Scheme::Https, "api.example.com", 443));
        assert!(!some.allows_request(Scheme::Http, "api.example.com", 443));
        assert!(!some.allows_request(Scheme::Https, "api.example.com", 8443));
        assert!(!some.allows_host("api.example.com", 443));
        assert!(!some.allows_name("api.example.com"));
    }

    #[test]
    fn a_component_gets_no_more_than_its_server_allows() {
        let server = Arc::new(network(&["*.example.com", "127.0.0.1:8080"]));
        let declared = |rules: &[&str]| network(rules).within(Arc::clone(&server));
        let some = declared(&["a.example.com:443", "evil.example", "127.0.0.1"]);
        assert!(some.allows_host("a.example.com", 443));
        assert!(!some.allows_host("b.example.com", 443));
        assert!(!some.allows_host("evil.example", 443));
        assert!(some.allows_address("127.0.0.1".parse().unwrap(), 8080));
        assert!(!some.allows_address("127.0.0.1".parse().unwrap(), 81));
        // A pattern of the server is no permission to go inside, whatever the component names.
        let inside = declared(&["10.0.0.1", "*"]);
        assert!(!inside.allows_address("10.0.0.1".parse().unwrap(), 80));
        assert!(!inside.listens() && declared(&[]).is_empty());
        let nothing = network(&["*"]).within(Arc::default());
        assert!(nothing.is_empty() && !nothing.allows_host("example.com", 80));
        let listening = Network::new(Vec::new()).listening(vec!["127.0.0.1:*".parse().unwrap()]);
        let address = "127.0.0.1:9".parse().unwrap();
        assert!(listening.allows_listening(address));
        assert!(!listening.within(server.clone()).allows_listening(address));
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
