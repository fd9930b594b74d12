// SPDX-License-Identifier: Apache-2.0
//! THE DESK / golem_1: command lines of golem-cli 1.1.0 that have to be understood, with every alias, long and short option of theirs.
//! A test. Read next: `args.rs`; what they send is in tests/it/golem_1.rs. Source: client spec §1.1 to §1.3, §2.1, §3.1, §6.1 to §6.9.

use clap::Parser as _;

use crate::args::Args;

/// Each verb, in each spelling; `{c}` stands for each way to name a component, `{w}` for each way to name a worker.
const LINES: &[&str] = &[
    "diagnose",
    "list-examples",
    "list-examples -m tier1 -l go",
    "list-examples --min-tier 3 --language Go",
    "new -e go-default -p a:b x",
    "new --example go-default --package-name a:b x",
    "new -l go x",
    "new --language go x",
    "new --lang go x",
    "stubgen generate -s a -d b",
    "stubgen generate --source-wit-root a --dest-crate-root b --world w --stub-crate-version 1 --always-inline-types",
    "stubgen generate -s a -d b --wasm-rpc-path-override c",
    "stubgen generate -s a -d b --wasm-rpc-version-override d",
    "stubgen build -s a --dest-wasm b --dest-wit-root c",
    "stubgen build --source-wit-root a --dest-wasm b --dest-wit-root c -w w",
    "stubgen add-stub-dependency -s a -d b -o -u",
    "stubgen add-stub-dependency --stub-wit-root a --dest-wit-root b --overwrite --update-cargo-toml",
    "stubgen compose --source-wasm a --stub-wasm b --stub-wasm c --dest-wasm d",
    "stubgen initialize-workspace --targets a --targets b --callers c",
    "app build",
    "app -a golem.yaml -b release -o build -s gen-rpc -s componentize -s link-rpc -f",
    "app --app golem.yaml --build-profile release --offline build --step gen-rpc --force-build",
    "app clean",
    "component add -c n f.wasm",
    "component create --component-name n --durable f.wasm",
    "component add -c n --ephemeral -y -",
    "component add -c n --non-interactive f.wasm",
    "component add -c n -a golem.yaml -b release",
    "component add -c n --app golem.yaml --build-profile release",
    "component update {c} f.wasm",
    "component update {c} --ephemeral --try-update-workers --update-mode manual -y -",
    "component update {c} --durable -a golem.yaml -b release",
    "component list",
    "component list -c n",
    "component list --component-name n",
    "component get {c}",
    "component get {c} -t 3",
    "component get {c} --version 3",
    "component try-update-workers {c} --update-mode auto",
    "component redeploy {c} -y",
    "component install-plugin {c} --plugin-name p --plugin-version 1 --priority 0 -p a=b --parameter c=d",
    "component get-installations {c}",
    "component get-installations {c} -t 3",
    "component uninstall-plugin {c} --installation-id 8e0b4b8c-14a8-4b6e-9d3f-0123456789ab",
    "worker add {c} -w n -e A=b --env C=d one two",
    "worker start {c} --worker-name n",
    "worker create {c} -w n",
    "worker idempotency-key",
    "worker invoke-and-await {w} -f a.{b} -k key -j []",
    "worker invoke-and-await {w} --function a.{b} --idempotency-key key --parameters []",
    "worker invoke-and-await {w} -f a.{b} -a 1 --arg 2 --arg=-1 --connect",
    "worker invoke-and-await {w} -f a.{b} --connect --colors --show-timestamp=false --show-level=on",
    "worker invoke {w} -f a.{b} -k key -j []",
    "worker invoke {w} -f a.{b} -a 1 --connect --colors=no --show-timestamp=t --show-level",
    "worker connect {w}",
    "worker connect {w} --colors=false --show-timestamp=1 --show-level=yes",
    "worker interrupt {w}",
    "worker resume {w}",
    "worker simulated-crash {w}",
    "worker delete {w}",
    "worker get {w}",
    "worker list {c}",
    "worker list {c} -f status=Idle --filter version=1 -S 0/5 -n 10 --precise true",
    "worker list {c} --cursor 0/5 --count 10 --precise false",
    "worker update {w} -m auto -t 3",
    "worker update {w} --mode manual --target-version 3",
    "worker update-many {c} -f status=Idle -m auto -t 3",
    "worker update-many {c} --filter status=Idle --mode manual --target-version 3",
    "worker oplog {w}",
    "worker oplog {w} --from 5",
    "worker oplog {w} --query add",
    "api-definition list",
    "api-definition list -i x",
    "api-definition list --id x",
    "api-definition add f.json",
    "api-definition create -d yaml f",
    "api-definition update --def-format json -",
    "api-definition import f.yaml",
    "api-definition get -i x -V 1",
    "api-definition get --id x --version 1",
    "api-definition delete -i x -V 1",
    "api-deployment deploy -d a/1 -d b/2 -H localhost -s sub",
    "api-deployment deploy --definition a/1 --host localhost --subdomain sub",
    "api-deployment get sub.localhost",
    "api-deployment list -i x",
    "api-deployment list --id x",
    "api-deployment delete sub.localhost",
    "api-security-scheme create -i x -p google --client.id a --client.secret b -s openid -r http://localhost/back",
    "api-security-scheme create --scheme.id x --provider.type gitlab --client.id a --client.secret b --scopes openid --redirect.url http://x",
    "api-security-scheme get x",
    "plugin list --global",
    "plugin list {c}",
    "plugin get --plugin-name p --version 1",
    "plugin register manifest.json --global -y",
    "plugin register manifest.json {c}",
    "plugin unregister --plugin-name p --version 1",
    "profile add -s p -c http://localhost -w http://workers -a -f json",
    "profile add --set-active p --component-url http://localhost --worker-url http://workers --allow-insecure --default-format yaml",
    "profile init p",
    "profile list",
    "profile switch p",
    "profile get",
    "profile get p",
    "profile delete p",
    "profile config show",
    "profile config -p p format json",
    "profile config --profile p format text",
    "init",
    "completion --generate bash",
    "completion --generate elvish",
    "completion --generate fish",
    "completion --generate powershell",
    "completion --generate zsh",
    "get urn:component:8e0b4b8c-14a8-4b6e-9d3f-0123456789ab",
    "get component:///n/3",
    "get worker:///n/w/a%2Eb",
    "get api-definition:///x/1",
    "get urn:api-deployment:localhost",
];

const COMPONENTS: &[&str] = &[
    "-c n",
    "--component-name n",
    "-C component:///n",
    "--component urn:component:8e0b4b8c-14a8-4b6e-9d3f-0123456789ab",
];

const WORKERS: &[&str] = &[
    "-c n -w w",
    "--component-name n --worker-name w",
    "-C component:///n -w w",
    "-W worker:///n/w",
    "--worker urn:worker:8e0b4b8c-14a8-4b6e-9d3f-0123456789ab/w",
];

/// Options that all commands take, before and behind the verb.
const GLOBAL: &[&str] = &[
    "-F json",
    "--format yaml",
    "--format=text",
    "-v",
    "-vvv",
    "-q",
    "",
];

fn understood(line: &str) -> Result<Args, clap::Error> {
    let words = line.split_whitespace();
    Args::try_parse_from(std::iter::once("golem-cli").chain(words))
}

#[test]
fn every_command_line_of_golem_1_is_understood() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in LINES {
        let (hole, ways) = if line.contains("{c}") {
            ("{c}", COMPONENTS)
        } else if line.contains("{w}") {
            ("{w}", WORKERS)
        } else {
            ("{}", ["-"].as_slice())
        };
        for (at, way) in ways.iter().enumerate() {
            let line = line.replace(hole, way);
            let global = GLOBAL.get(at % GLOBAL.len()).copied().unwrap_or_default();
            for line in [line.clone(), format!("{global} {line}")] {
                count += 1;
                if let Err(error) = understood(&line) {
                    let why = error.to_string();
                    wrong.push(format!(
                        "{line}: {}",
                        why.lines().next().unwrap_or_default()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > 300, "{count}");
    for global in GLOBAL {
        understood(&format!("{global} component list")).unwrap();
        understood(&format!("component list {global}")).unwrap();
    }
}

#[test]
fn what_golem_1_refused_is_refused() {
    for line in [
        // Exactly one of them.
        "new x",
        "new -e go-default -l go x",
        "component get",
        "component get -c n -C component:///n",
        "component add -c n --ephemeral --durable f.wasm",
        "component update -c n --update-mode auto f.wasm",
        // A name is needed without -W, and nothing beside it.
        "worker get -c n",
        "worker get -W worker:///n/w -w w",
        "worker invoke -W worker:///n/w",
        "worker invoke-and-await -W worker:///n/w -f f -j [] -a 1",
        "worker oplog -W worker:///n/w --from 1 --query add",
        "list-examples -l cobol",
        "completion --generate tcsh",
        "get",
    ] {
        assert!(understood(line).is_err(), "{line}");
    }
}
