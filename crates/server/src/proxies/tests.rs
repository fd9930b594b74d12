// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / proxies/tests: what proxies write, and what others write to be taken for somebody else. Read next: `../proxies.rs`.

use axum::http::HeaderValue;

use super::*;

/// A proxy of these tests, and its network: `10.0.0.0/8`, `2001:db8:a::/48` and `192.0.2.9`.
const PROXY: &str = "10.0.0.1:40000";

fn proxies() -> Proxies {
    let networks = ["10.0.0.0/8", "2001:db8:a::/48", "192.0.2.9"];
    Proxies::new(networks.map(|text| text.parse().unwrap()).to_vec())
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn origin(peer: &str, lines: &[(&'static str, &str)]) -> (String, bool) {
    let origin = proxies().origin(peer.parse().unwrap(), &headers(lines));
    let address = match origin.address.port() {
        0 => origin.address.ip().to_string(),
        _ => origin.address.to_string(),
    };
    (address, origin.encrypted)
}

#[test]
fn a_network_is_read_and_everybody_is_none() {
    let check = |text: &str, expected: Result<(&str, u32), BadProxy>| {
        let expected = expected.map(|(address, bits)| ProxyNetwork {
            address: address.parse().unwrap(),
            bits,
        });
        assert_eq!(text.parse(), expected, "{text}");
    };
    check("10.0.0.0/8", Ok(("10.0.0.0", 8)));
    check("192.0.2.1", Ok(("192.0.2.1", 32)));
    check("2001:db8::1", Ok(("2001:db8::1", 128)));
    check("::/1", Ok(("::", 1)));
    check("proxy.example", Err(BadProxy::Address));
    check("10.0.0.0:80", Err(BadProxy::Address));
    check("", Err(BadProxy::Address));
    check("10.0.0.0/33", Err(BadProxy::Bits));
    check("10.0.0.0/", Err(BadProxy::Bits));
    check("10.0.0.0/+8", Err(BadProxy::Bits));
    check("::1/129", Err(BadProxy::Bits));
    check("0.0.0.0/0", Err(BadProxy::Everybody));
    check("::/0", Err(BadProxy::Everybody));
}

#[test]
fn a_network_has_the_addresses_with_its_first_bits() {
    let has = |network: &str, address: &str| {
        let network: ProxyNetwork = network.parse().unwrap();
        network.has(address.parse().unwrap())
    };
    assert!(has("10.0.0.0/8", "10.255.0.1") && !has("10.0.0.0/8", "11.0.0.1"));
    assert!(has("192.0.2.1", "192.0.2.1") && !has("192.0.2.1", "192.0.2.0"));
    assert!(has("128.0.0.0/1", "255.0.0.1") && !has("128.0.0.0/1", "127.0.0.1"));
    assert!(has("2001:db8::/33", "2001:db8:7fff::1") && !has("2001:db8::/33", "2001:db8:8000::1"));
    assert!(has("::1", "::1") && !has("::1", "::2") && !has("::/1", "0.0.0.1"));
    // An address of IPv4 that came by IPv6 is one of IPv4.
    assert!(proxies().has("::ffff:10.0.0.1".parse().unwrap()));
}

#[test]
fn what_somebody_else_says_is_not_read() {
    let all: &[(&str, &str)] = &[
        ("x-forwarded-for", "198.51.100.7"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "for=198.51.100.7;proto=https"),
    ];
    for peer in ["203.0.113.1:5", "[2001:db8:b::1]:5", "192.0.2.8:5"] {
        assert_eq!(origin(peer, all), (peer.to_owned(), false));
    }
    let nobody = Proxies::default();
    let peer = PROXY.parse().unwrap();
    assert_eq!(nobody.origin(peer, &headers(all)), Origin::direct(peer));
}

#[test]
fn the_last_address_that_is_no_proxy_counts() {
    let check = |lines: &[(&'static str, &str)], address: &str, encrypted: bool| {
        let expected = (address.to_owned(), encrypted);
        assert_eq!(origin(PROXY, lines), expected, "{lines:?}");
    };
    check(&[], PROXY, false);
    check(
        &[("x-forwarded-for", "198.51.100.7")],
        "198.51.100.7",
        false,
    );
    check(
        &[("x-forwarded-for", "198.51.100.7:99")],
        "198.51.100.7:99",
        false,
    );
    check(&[("x-forwarded-for", "2001:db8::7")], "2001:db8::7", false);
    check(
        &[("x-forwarded-for", "[2001:db8::7]:99")],
        "[2001:db8::7]:99",
        false,
    );
    check(
        &[("x-forwarded-for", "::ffff:198.51.100.7")],
        "198.51.100.7",
        false,
    );
    // The first one was written by the client, the last by a proxy behind another.
    check(
        &[(
            "x-forwarded-for",
            "1.1.1.1, 198.51.100.7, 10.2.3.4, 192.0.2.9",
        )],
        "198.51.100.7",
        false,
    );
    // Several headers are one list.
    check(
        &[
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "198.51.100.7,10.2.3.4"),
        ],
        "198.51.100.7",
        false,
    );
    // From inside: the first one.
    check(
        &[("x-forwarded-for", "10.9.9.9, 10.2.3.4")],
        "10.9.9.9",
        false,
    );
    check(
        &[
            ("x-forwarded-for", "198.51.100.7"),
            ("x-forwarded-proto", "HTTPS"),
        ],
        "198.51.100.7",
        true,
    );
    check(
        &[
            ("x-forwarded-for", "198.51.100.7, 10.2.3.4"),
            ("x-forwarded-proto", "https, http"),
        ],
        "198.51.100.7",
        true,
    );
    check(
        &[
            ("x-forwarded-for", "198.51.100.7, 10.2.3.4"),
            ("x-forwarded-proto", "https"),
        ],
        "198.51.100.7",
        true,
    );
    check(&[("x-forwarded-proto", "https")], PROXY, false);
}

#[test]
fn forwarded_is_read_as_its_standard_says() {
    let check = |value: &str, address: &str, encrypted: bool| {
        let expected = (address.to_owned(), encrypted);
        assert_eq!(origin(PROXY, &[("forwarded", value)]), expected, "{value}");
    };
    check("for=198.51.100.7", "198.51.100.7", false);
    check(
        "For=\"198.51.100.7:99\";Proto=HTTPS;by=10.0.0.1",
        "198.51.100.7:99",
        true,
    );
    check("for=\"[2001:db8::7]\"", "2001:db8::7", false);
    check(
        "proto=https ; for=198.51.100.7 , for=10.2.3.4;proto=http",
        "198.51.100.7",
        true,
    );
    check(
        "for=1.1.1.1;proto=https,for=198.51.100.7;proto=http",
        "198.51.100.7",
        false,
    );
    check(
        r#"for="198.51.100\.7";ext="a,for=1.1.1.1;\"b""#,
        "198.51.100.7",
        false,
    );
    let two = [
        ("forwarded", "for=1.1.1.1, for=198.51.100.7"),
        ("forwarded", "for=10.2.3.4"),
    ];
    assert_eq!(origin(PROXY, &two).0, "198.51.100.7");
}

#[test]
fn who_cannot_be_read_counts_as_the_proxy_that_speaks_of_them() {
    for value in [
        "",
        ",",
        "for",
        "for=",
        "for=unknown",
        "for=_hidden",
        "for=example.com",
        "for=\"198.51.100.7",
        "for=198.51.100.7;for=1.1.1.1",
        "for=unknown;for=1.1.1.1",
        "for=198.51.100.7:x",
        "for=198.51.100.7:",
        "=198.51.100.7",
        "for =198.51.100.7",
        "for=\"198.51.100.7\"x",
        "for=me@198.51.100.7",
        "for=198.51.100.7;;",
        "proto=https",
        "for=300.1.1.1",
        "for=198.51.100.7/8",
        "\u{fc}",
    ] {
        let (address, _) = origin(PROXY, &[("forwarded", value)]);
        assert_eq!(address, PROXY, "{value}");
        let behind = format!("for=198.51.100.7, {value}, for=10.2.3.4");
        let (address, _) = origin(PROXY, &[("forwarded", &behind)]);
        assert!(
            ["10.2.3.4", PROXY].contains(&address.as_str()),
            "{behind}: {address}"
        );
    }
    for value in [
        "",
        ",",
        "unknown",
        "198.51.100.7 1.1.1.1",
        "198.51.100.7;",
        "me@198.51.100.7",
        "\u{fc}",
        "for=1.1.1.1",
    ] {
        let (address, _) = origin(PROXY, &[("x-forwarded-for", value)]);
        assert_eq!(address, PROXY, "{value}");
        let behind = format!("198.51.100.7, {value}, 10.2.3.4");
        let (address, _) = origin(PROXY, &[("x-forwarded-for", &behind)]);
        assert_eq!(address, "10.2.3.4", "{behind}");
    }
    // More proxies than there are.
    let many = format!("198.51.100.7{}", ", 10.2.3.4".repeat(HOPS_MAX));
    assert_eq!(origin(PROXY, &[("x-forwarded-for", &many)]).0, "10.2.3.4");
    let fewer = format!("198.51.100.7{}", ", 10.2.3.4".repeat(HOPS_MAX - 1));
    assert_eq!(
        origin(PROXY, &[("x-forwarded-for", &fewer)]).0,
        "198.51.100.7"
    );
}

#[test]
fn two_headers_that_do_not_agree_are_both_not_believed() {
    // The proxy writes one of them, and hands on what the client wrote into the other.
    let forged = [
        ("forwarded", "for=1.1.1.1;proto=https"),
        ("x-forwarded-for", "198.51.100.7"),
    ];
    assert_eq!(origin(PROXY, &forged), (PROXY.to_owned(), false));
    let same = [
        ("forwarded", "for=198.51.100.7;proto=https"),
        ("x-forwarded-for", "198.51.100.7"),
        ("x-forwarded-proto", "https"),
    ];
    assert_eq!(origin(PROXY, &same), ("198.51.100.7".to_owned(), true));
}
