// SPDX-License-Identifier: Apache-2.0
//! THE DESK / doctor server: whether a server is there, in the order in which a request goes: name, connection, TLS, HTTP, version,
//! token, clock.
//! In an address, out checks; behind the first failure the others are skipped. Never changes anything.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, SystemTime};

use golem_client::{Client, ErrorKind, Insecure, Unanswered};
use golem_model::api::{COMPATIBLE_VERSION, VersionInfo};

use super::{Check, State};
use crate::args::Global;
use crate::connection;
use crate::exit;

/// Longest wait for a connection, and for an answer: a healthy server needs milliseconds.
const STEP_TIMEOUT: Duration = Duration::from_secs(3);
/// Difference of clocks from which schedules and timestamps confuse people.
const SKEW_MAX: Duration = Duration::from_secs(5);
const STEPS: &[&str] = &[
    "server name",
    "server port",
    "server tls",
    "server http",
    "server version",
    "server auth",
    "clock",
];

pub(super) fn checks(global: &Global) -> Vec<Check> {
    let mut checks = Vec::new();
    // An error is the step that failed: the last one that is told.
    if let Err(failed) = steps(global, &mut checks) {
        let code = match failed.exit {
            exit::DENIED => exit::DENIED,
            _ => exit::UNREACHABLE,
        };
        checks.push(failed.exit(code));
    }
    for name in STEPS.iter().skip(checks.len()) {
        checks.push(Check::new(name, State::Skipped, "not looked at"));
    }
    checks
}

fn steps(global: &Global, checks: &mut Vec<Check>) -> Result<(), Check> {
    let client =
        connection::client(global).map_err(|failure| Check::of("server name", &failure))?;
    let (authority, _) = client.address();
    let url = client.url().to_owned();
    let addresses: Vec<SocketAddr> = match authority.to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            let found = format!("the name in {url} has no address: {error}");
            return Err(Check::failed("server name", found)
                .hint("check the spelling, or pass an address: --url http://127.0.0.1:9881"));
        }
    };
    let list: Vec<String> = addresses
        .iter()
        .map(|address| address.ip().to_string())
        .collect();
    checks.push(Check::ok(
        "server name",
        format!("{url} is {}", list.join(", ")),
    ));

    let mut refused = String::from("no address");
    let mut connected = None;
    for address in &addresses {
        match TcpStream::connect_timeout(address, STEP_TIMEOUT) {
            Ok(stream) => {
                connected = Some((stream, *address));
                break;
            }
            Err(error) => refused = format!("{address}: {error}"),
        }
    }
    let Some((stream, address)) = connected else {
        let found = format!("nobody takes connections at {refused}");
        return Err(Check::failed("server port", found)
            .hint("start a server: golem-cli server run; in a project: golem-cli dev"));
    };
    checks.push(Check::ok(
        "server port",
        format!("{address} takes connections"),
    ));

    drop(stream);
    let before = SystemTime::now();
    let answered = client.look("/version", STEP_TIMEOUT);
    checks.push(tls(&client, answered.as_ref().err())?);
    let no_http = |found: String| {
        Check::failed("server http", found)
            .hint("another program may listen there: choose another port, or pass --url")
    };
    let answer = answered
        .map_err(|error| no_http(format!("no answer to GET /version: {}", error.reason)))?;
    if answer.status != 200 {
        return Err(no_http(format!("GET /version answers {}", answer.status)));
    }
    checks.push(Check::ok("server http", "GET /version answers 200"));

    let said: VersionInfo = serde_json::from_slice(&answer.body).map_err(|_| {
        Check::failed("server version", "the answer is not one of this API")
            .hint("another program may listen there: choose another port, or pass --url")
    })?;
    checks.push(if said.version == COMPATIBLE_VERSION {
        Check::ok(
            "server version",
            format!("speaks the API of {}", said.version),
        )
    } else {
        let found = format!(
            "speaks the API of {}, this program that of {COMPATIBLE_VERSION}",
            said.version
        );
        Check::new("server version", State::Warning, found)
            .hint("use a server and a golem-cli of one release")
    });
    checks.push(auth(&client)?);
    checks.push(clock(before, answer.date.as_deref().and_then(http_date)));
    Ok(())
}

/// Whether the connection is secure: the certificate is one of a server that this one is meant to be.
fn tls(client: &Client, error: Option<&Unanswered>) -> Result<Check, Check> {
    let name = "server tls";
    if !client.is_encrypted() {
        return Ok(Check::new(name, State::Skipped, "plain HTTP"));
    }
    if let Some((why, reason)) = error.and_then(|error| Some((error.tls?, &error.reason))) {
        let (what, hint) = match why {
            Insecure::Expired => (
                "the certificate has expired",
                "renew it: a running server takes new files by itself; or look at the clock of this machine: date",
            ),
            Insecure::Early => (
                "the certificate does not hold yet",
                "look at the clock of this machine: date",
            ),
            Insecure::Unknown => (
                "the certificate was made by nobody who is trusted",
                "name the certificates to trust: --ca-file FILE",
            ),
            Insecure::Name => (
                "the certificate is for another name",
                "use the name that it has: --url https://NAME",
            ),
            Insecure::Other => (
                "no secure connection",
                "if the server speaks plain HTTP, write so: --url http://HOST:PORT",
            ),
        };
        return Err(Check::failed(name, format!("{what}: {reason}")).hint(hint));
    }
    Ok(if client.unverified().is_some() {
        Check::new(
            name,
            State::Warning,
            "encrypted, and nobody checks with whom",
        )
        .hint("name the certificates to trust: --ca-file FILE")
    } else {
        Check::ok(name, "the certificate is trusted")
    })
}

/// Whom the server sees. A server of another make may not say.
fn auth(client: &Client) -> Result<Check, Check> {
    let name = "server auth";
    match client.who_am_i() {
        Ok(who) => Ok(match who.name {
            Some(caller) => Check::ok(name, format!("this is {caller} ({})", who.roles)),
            None => Check::ok(name, "this server asks for no token"),
        }),
        Err(error) if error.kind() == ErrorKind::Denied => {
            Err(Check::of(name, &error.into()).exit(exit::DENIED))
        }
        Err(error) => Ok(Check::new(
            name,
            State::Skipped,
            format!("the server does not say: {error}"),
        )),
    }
}

fn clock(here: SystemTime, there_s: Option<u64>) -> Check {
    let here_s = here
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    match there_s {
        None => Check::new("clock", State::Skipped, "the server does not say its time"),
        Some(there_s) if here_s.abs_diff(there_s) > SKEW_MAX.as_secs() => {
            let found = format!(
                "the server's clock is {} s away from this one",
                here_s.abs_diff(there_s)
            );
            Check::new("clock", State::Warning, found)
                .hint("let both set their clocks by NTP: schedules go by the server's")
        }
        Some(_) => Check::ok("clock", "as the server's"),
    }
}

/// Seconds since 1970 of `Sat, 28 Nov 2026 18:19:09 GMT`.
fn http_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut words = text.split_whitespace().skip(1);
    let day: u64 = words.next()?.parse().ok()?;
    let name = words.next()?;
    let month = MONTHS.iter().position(|month| *month == name)? as u64 + 1;
    let year: u64 = words.next()?.parse().ok()?;
    let mut time = words.next()?.split(':').map(str::parse::<u64>);
    let mut next = || time.next()?.ok();
    let (hours, minutes, seconds) = (next()?, next()?, next()?);
    // Days since 1970 with years that begin in March, so that leap days come last.
    let (shifted_year, shifted_month) = if month > 2 {
        (year, month - 3)
    } else {
        (year.checked_sub(1)?, month + 9)
    };
    let of_year = (153 * shifted_month + 2) / 5 + day.checked_sub(1)?;
    let days =
        shifted_year * 365 + shifted_year / 4 - shifted_year / 100 + shifted_year / 400 + of_year;
    Some(days.checked_sub(719_468)? * 86_400 + hours * 3600 + minutes * 60 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http_are_read() {
        assert_eq!(http_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(
            http_date("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(784_111_777)
        );
        assert_eq!(
            http_date("Thu, 29 Feb 2024 00:00:00 GMT"),
            Some(1_709_164_800)
        );
        assert_eq!(http_date("yesterday"), None);
    }
}
