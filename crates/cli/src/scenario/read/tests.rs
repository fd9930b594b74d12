// SPDX-License-Identifier: Apache-2.0
//! THE DESK / scenario read tests: what is understood, and each mistake with its line and its hint.

use super::*;

fn read(text: &str) -> Result<Stories, ScenarioError> {
    let components = ["counter".to_owned(), "basket".to_owned()];
    Reader {
        file: "tests/a.yaml",
        root: Path::new("root"),
        components: &components,
    }
    .read(text)
}

const ALL: &str = "scenarios:
- name: everything
  now: 2026-12-24T18:00:00Z
  begins-with: { counter: old/counter.wasm }
  secrets: { api-key: not-a-real-key }
  workers:
    c: { component: counter, name: c1, env: { BASKET: '${basket}' }, args: [a] }
    b: { component: basket }
  http:
  - request: POST https://bank.example/charge
    status: 201
    headers: { content-type: application/json }
    body: '{}'
    repeatable: true
  steps:
  - { invoke: add, worker: c, args: [3, '{id: 7}', true], key: k, timeout: 5s, expect: 5 }
  - { start: wait, worker: c, as: waiting }
  - { complete-promise: yes, worker: c }
  - { await: waiting, expect-error: WRK-006 }
  - { schedule: add, worker: c, args: [1], after: 1h30m }
  - { advance: 2h }
  - { crash: true }
  - { update: snapshot, worker: c, to: new/counter.wasm }
  - { http: GET /x?y=1, worker: b, expect-status: 404, expect: none }
  - { sent: POST https://bank.example/*, count: 0 }
  - { oplog: 'add AND 3', worker: c, count: 2 }
  - { status: idle, worker: b }
";

#[test]
fn every_key_is_understood_and_every_step_keeps_its_line() {
    let stories = read(ALL).unwrap();
    let [scenario] = stories.scenarios.as_slice() else {
        panic!("{stories:?}")
    };
    assert_eq!((scenario.line, scenario.steps.len()), (2, 12));
    assert_eq!(
        scenario.begins_with["counter"],
        Path::new("root/old/counter.wasm")
    );
    assert_eq!(scenario.secrets["api-key"], "not-a-real-key");
    let c = &scenario.workers["c"];
    assert_eq!((c.component.as_str(), c.name.as_str()), ("counter", "c1"));
    assert_eq!(scenario.workers["b"].name, "b");
    let lines: Vec<usize> = scenario.steps.iter().map(|step| step.line).collect();
    assert_eq!(lines, (16..28).collect::<Vec<_>>());
    let Action::Invoke(call, Expected::Value(value)) = &scenario.steps[0].action else {
        panic!("{:?}", scenario.steps[0])
    };
    assert_eq!(call.args, ["3", "{id: 7}", "true"]);
    assert_eq!((call.key.as_deref(), value.as_str()), (Some("k"), "5"));
    assert!(
        matches!(&scenario.steps[2].action, Action::CompletePromise(_, data) if data == b"yes")
    );
    assert!(matches!(
        &scenario.steps[8].action,
        Action::Http { status: 404, .. }
    ));
}

#[test]
fn mistakes_are_named_with_file_line_and_what_would_be_right() {
    let check = |from: &str, to: &str, code: &str, message: &str, hint: &str| {
        let text = ALL.replace(from, to);
        assert_ne!(text, ALL, "`{from}` is not there");
        let error = read(&text).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.hint().unwrap().contains(hint), "{:?}", error.hint());
    };
    check(
        "count: 2",
        "cuont: 2",
        "TST-033",
        "a.yaml:26: unknown key `cuont`",
        "`count`",
    );
    check(
        "component: basket",
        "component: baskte",
        "TST-034",
        "a.yaml:8",
        "`basket`",
    );
    check(
        "{ component: basket }",
        "{}",
        "TST-034",
        "no component",
        "counter, basket",
    );
    check(
        "worker: c, as",
        "worker: d, as",
        "TST-034",
        "a.yaml:17: there is no worker `d`",
        "there are: b, c",
    );
    check(
        "worker: c, as",
        "as",
        "TST-034",
        "which worker",
        "add `worker:`",
    );
    check(
        "advance: 2h",
        "advance: soon",
        "TST-034",
        "a.yaml:21: `soon`",
        "1h30m",
    );
    check(
        "advance: 2h",
        "advance: 2h, count: 3",
        "TST-034",
        "`count` has no meaning beside `advance`",
        "leave it out",
    );
    check(
        "crash: true",
        "crash: false",
        "TST-034",
        "a.yaml:22",
        "crash: true",
    );
    check(
        "crash: true",
        "crash: true, advance: 1s",
        "TST-034",
        "two verbs",
        "two steps",
    );
    check(
        "crash: true",
        "worker: c",
        "TST-034",
        "without a verb",
        "invoke, start",
    );
    check(
        "await: waiting",
        "await: wating",
        "TST-034",
        "as: wating",
        "`waiting`",
    );
    check(
        "update: snapshot",
        "update: quickly",
        "TST-034",
        "`update: quickly`",
        "automatic",
    );
    check(
        "GET /x?y=1",
        "/x?y=1",
        "TST-034",
        "a.yaml:24",
        "GET /orders",
    );
    check(
        "request: POST https",
        "request: https",
        "TST-034",
        "a.yaml:10",
        "POST https://",
    );
    check("'add AND 3'", "'add AND'", "TST-034", "a.yaml:26", "");
    check(
        "status: idle",
        "status: idel",
        "TST-034",
        "`idel` is no status",
        "`idle`",
    );
    check(
        ", after: 1h30m",
        "",
        "TST-034",
        "without `after`",
        "after: 1h30m",
    );
    check(
        "key: k, timeout",
        "expect-error: x, timeout",
        "TST-034",
        "not both",
        "leave out",
    );
    check(
        "now: 2026-12-24T18:00:00Z",
        "now: Christmas",
        "TST-034",
        "not a moment",
        "2026-12-24",
    );
    check(
        "args: [3,",
        "args: [{id: 7},",
        "TST-032",
        "a.yaml:16",
        "quotes",
    );
    check(
        "scenarios:\n",
        "scenarios:\n- { name: everything, steps: [] }\n",
        "TST-034",
        "two scenarios",
        "own",
    );
}
