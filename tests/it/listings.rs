// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / listings: what a person sees of the things on a server, word for word: `listings.txt`. Ids and moments are replaced,
//! blanks between columns are two. Written anew with `BLESS=1`. Source: command line specification §2.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use golem_testkit::{Rest, Server, golem_cli};
use serde_json::json;

use crate::traveller::{Version, guest};

/// Shapes of texts that are others in each run, `0` for a digit of a number in base ten and `f` for one in base sixteen, with what
/// stands in their place.
const CHANGING: [(&str, &str); 2] = [
    ("ffffffff-ffff-ffff-ffff-ffffffffffff", "[ID]"),
    ("0000-00-00 00:00:00", "[MOMENT]"),
];

/// What has to be in `text` for `shape` to begin there.
fn begins(text: &[char], shape: &str) -> bool {
    let mut shape = shape.chars();
    let fits = shape.by_ref().zip(text).all(|(shape, found)| match shape {
        '0' => found.is_ascii_digit(),
        'f' => found.is_ascii_hexdigit(),
        shape => shape == *found,
    });
    fits && shape.next().is_none()
}

/// The same without what changes from run to run.
fn steady(text: &str) -> String {
    let all: Vec<char> = text.chars().collect();
    let (mut rest, mut out) = (all.as_slice(), String::new());
    while let Some((first, others)) = rest.split_first() {
        let changing = CHANGING
            .iter()
            .find(|(shape, _)| rest.len() >= shape.len() && begins(rest, shape));
        let Some((shape, name)) = changing else {
            // A column is as wide as the longest moment in it, which has up to six digits of a second.
            if *first != ' ' || !out.ends_with("  ") {
                out.push(*first);
            }
            rest = others;
            continue;
        };
        out.push_str(name);
        rest = &rest[shape.len()..];
        if let Some(('.', fraction)) = rest.split_first() {
            let digits = fraction.iter().take_while(|c| c.is_ascii_digit()).count();
            rest = &fraction[digits..];
        }
    }
    out
}

/// A conversation with a server.
struct Desk<'a> {
    home: &'a Path,
    url: &'a str,
    said: String,
}

impl Desk<'_> {
    /// Runs a command line and notes it with what it printed.
    fn shows(&mut self, line: &str) -> Result<()> {
        let output = Command::new(golem_cli()?)
            .args(line.split(' '))
            .current_dir(self.home)
            .env_clear()
            .env("GOLEM_CONFIG_DIR", self.home.join("config"))
            .env("GOLEM_URL", self.url)
            .stdin(Stdio::null())
            .output()?;
        let errors = String::from_utf8(output.stderr)?;
        ensure!(output.status.success(), "{line}: {errors}");
        writeln!(self.said, "$ golem-cli {line}")?;
        self.said.push_str(&steady(&errors));
        self.said
            .push_str(&steady(&String::from_utf8(output.stdout)?));
        self.said.push('\n');
        Ok(())
    }

    /// Runs a command line that makes something.
    fn does(&mut self, line: &str) -> Result<()> {
        let length = self.said.len();
        self.shows(line)?;
        self.said.truncate(length);
        Ok(())
    }
}

fn workers(rest: &Rest, component: &str) -> Result<()> {
    rest.call(component, "main", "add", &[json!(5)])?;
    let path = format!("/v1/components/{component}/workers");
    let body = json!({"name": "waits", "args": ["a", "b c"], "env": {"MODE": "test"}});
    let (status, answer) = rest.post(&path, &body, None)?;
    ensure!(status == 200, "{answer}");
    let (status, answer) = rest.try_call(component, "trapped", "boom", &[], None)?;
    ensure!(status == 500, "{answer}");
    Ok(())
}

#[test]
fn listings_are_as_they_were() -> Result<()> {
    let (home, data) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let server = Server::start(data.path())?;
    let mut desk = Desk {
        home: home.path(),
        url: server.url(),
        said: String::new(),
    };
    let things = [
        "component list",
        "profile list",
        "token list",
        "namespace list",
        "secret list",
    ];
    for thing in things {
        desk.shows(thing)?;
    }
    let component = server
        .rest()
        .create_component("traveller", &guest(Version::First)?)?;
    desk.shows("worker list --component-name traveller")?;

    let path = format!("/v1/components/{component}/updates");
    let again = guest(Version::Other)?;
    let (status, answer) = server.rest().upload(&path, None, "Durable", &again)?;
    ensure!(status == 200, "{answer}");
    workers(&server.rest(), &component)?;
    std::fs::write(home.path().join("key.txt"), "a-value-that-nobody-sees")?;
    desk.does("secret set api-key --file key.txt")?;
    desk.does("namespace create team-a")?;
    desk.does("token add --name ci --role deployer --expires-in 90d")?;
    desk.does("token add --name team --role team-a=owner")?;
    desk.does("profile add --set-active staging --component-url http://staging.example:9881")?;
    for thing in things {
        desk.shows(thing)?;
    }
    desk.shows("component get --component-name traveller")?;
    desk.shows("worker list --component-name traveller")?;
    for worker in ["main", "waits", "trapped"] {
        desk.shows(&format!(
            "worker get --component-name traveller --worker-name {worker}"
        ))?;
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("listings.txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &desk.said)?;
    }
    let expected = std::fs::read_to_string(&file)?;
    ensure!(
        desk.said == expected,
        "it is not as in listings.txt (BLESS=1 writes that anew):\n{}",
        desk.said
    );
    server.stop()?;
    Ok(())
}

#[test]
fn what_changes_from_run_to_run_is_replaced() {
    let text =
        "a 8e0b4b8c-14a8-4b6e-9d3f-0123456789ab     2026-11-29 02:03:04.12 UTC   b 2026-11-29\n";
    assert_eq!(steady(text), "a [ID]  [MOMENT] UTC  b 2026-11-29\n");
}
