// SPDX-License-Identifier: Apache-2.0
//! THE DESK / tests, stubgen: the steps of the seed page with the real binary. Read next: `build.rs`.

use crate::support::{Desk, has_go};

/// The two components of the page, with their interfaces renamed as it says.
fn two_components() -> Desk {
    let desk = Desk::new();
    for name in ["component1", "component2"] {
        desk.ok(&format!(
            "new --example go-default --package-name rpcdemo:{name} {name}"
        ));
        let wit = format!("{name}/wit/{name}.wit");
        desk.edit(&wit, "interface api", &format!("interface {name}-api"));
        desk.edit(&wit, "export api", &format!("export {name}-api"));
        let upper = name.replace('c', "C");
        desk.edit(
            &format!("{name}/main.go"),
            &format!("{upper}Api("),
            &format!("{upper}{upper}Api("),
        );
    }
    desk
}

const BUILD: &str = "stubgen build --source-wit-root component2/wit --dest-wasm component2-stub/component2_stub.wasm --dest-wit-root component2-stub/wit";
const ADD: &str = "stubgen add-stub-dependency --stub-wit-root component2-stub/wit --dest-wit-root component1/wit --overwrite";

#[test]
fn the_page_runs_as_printed() {
    let desk = two_components();
    let before = desk.files("component2");
    let ran = desk.ok(BUILD);
    assert_eq!(ran.stdout, "Done\n");
    assert_eq!(
        desk.files("component2"),
        before,
        "the target is never changed"
    );
    assert!(desk.path("component2-stub/wit/_stub.wit").exists());
    desk.ok(ADD);
    assert!(
        desk.path("component1/wit/deps/rpcdemo_component2/component2.wit")
            .exists()
    );
    assert!(
        desk.path("component1/wit/deps/rpcdemo_component2-stub/_stub.wit")
            .exists()
    );
    let added = desk.files("component1");
    assert!(
        !desk.ok(ADD).stderr.contains("wrote"),
        "the second time there is nothing to do"
    );
    assert_eq!(desk.files("component1"), added);

    call_the_stub(&desk);
    if !has_go("the_page_runs_as_printed") {
        return;
    }
    let ran = desk.run_in("component1", &["build"], &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stdout
            .contains("rpcdemo:component2-stub/stub-component2"),
        "{ran:?}"
    );
    desk.go("component1", &["vet", "./..."]);
    desk.ok("stubgen compose --source-wasm component1/component1.wasm --stub-wasm component2-stub/component2_stub.wasm --dest-wasm component1/component1-with-component2-stub.wasm");
    assert!(
        desk.path("component1/component1-with-component2-stub.wasm")
            .exists()
    );
}

/// Adds the import to the world and the call to the code.
fn call_the_stub(desk: &Desk) {
    desk.edit(
        "component1/wit/component1.wit",
        "world component1 {",
        "world component1 {\n  import rpcdemo:component2-stub/stub-component2;",
    );
    desk.edit(
        "component1/main.go",
        "import \"rpc",
        "import (\n\t\"fmt\"\n\t\"os\"\n\n\t\"rpc",
    );
    desk.edit(
        "component1/main.go",
        "/component1\"\n",
        "/component1\"\n)\n",
    );
    desk.edit("component1/main.go", "\ttotal += value\n", CALL);
}

/// Component1 as it is when the page comes to its build step.
pub(crate) fn caller_and_stub() -> Desk {
    let desk = two_components();
    desk.ok(BUILD);
    desk.ok(ADD);
    call_the_stub(&desk);
    desk
}

/// The snippet of the page.
const CALL: &str = "
	component2ID := os.Getenv(\"COMPONENT2_ID\")
	workerName := \"target-worker\"
	component2WorkerClient := component1.NewComponent2Api(
		component1.GolemRpc0_1_0_TypesUri{
			Value: fmt.Sprintf(\"urn:worker:%s/%s\", component2ID, workerName),
		},
	)
	defer component2WorkerClient.Drop()
	component2WorkerClient.BlockingAdd(3)
	total += value
";

#[test]
fn a_refused_overwrite_exits_with_1_and_changes_nothing() {
    let desk = two_components();
    desk.ok(BUILD);
    desk.ok(ADD);
    desk.edit(
        "component2/wit/component2.wit",
        "get: func() -> u64",
        "get: func() -> string",
    );
    desk.ok(BUILD);
    let before = desk.files("component1");
    let ran = desk.run(ADD.trim_end_matches(" --overwrite"));
    assert!(
        ran.code == 1
            && ran.stderr.contains("error[DEP-003]")
            && ran.stderr.contains("--overwrite"),
        "{ran:?}"
    );
    assert_eq!(desk.files("component1"), before);
}

#[test]
fn a_missing_source_is_named() {
    let ran = Desk::new().run(BUILD);
    assert!(
        ran.code == 1
            && ran.stderr.contains("error[WIT-001]")
            && ran.stderr.contains("component2/wit"),
        "{ran:?}"
    );
}
