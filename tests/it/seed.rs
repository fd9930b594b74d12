// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / seed: the documentation page "Worker to Worker communication for Go components", command by command, with
//! stock Go. The Go below is the page's own; what it leaves open is named in comments.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use golem_testkit::{Server, golem_cli, run};
use serde_json::{Value, json};

use crate::support::{guests, needs_go};

const MAIN: &str = r#"package main

import (
	"fmt"
	"os"

	"rpcdemo/component1/component1"
)

func init() {
	component1.SetExportsRpcdemoComponent1Component1Api(&Component1Impl{})
}

var total uint64

type Component1Impl struct{}

// Add is what the page calls a blocking call.
func (e *Component1Impl) Add(value uint64) {
	// We get the component ID from environment variable, because it depends on the deploy
	component2ID := os.Getenv("COMPONENT2_ID")
	workerName := "target-worker"

	// Create new worker client with an URN constructed from the component ID and worker name
	component2WorkerClient := component1.NewComponent2Api(
		component1.GolemRpc0_1_0_TypesUri{
			Value: fmt.Sprintf("urn:worker:%s/%s", component2ID, workerName),
		},
	)
	// Cleanup the client after use
	defer component2WorkerClient.Drop()

	// Example for a blocking call, this will wait until the other worker finished
	component2WorkerClient.BlockingAdd(3)
	total += value
}

// Get is what the page calls a non-blocking one, which assumes two worker clients.
func (e *Component1Impl) Get() uint64 {
	component2ID := os.Getenv("COMPONENT2_ID")
	component2Worker1Client := component1.NewComponent2Api(
		component1.GolemRpc0_1_0_TypesUri{Value: fmt.Sprintf("urn:worker:%s/%s", component2ID, "target-worker")},
	)
	defer component2Worker1Client.Drop()
	// When invoking ephemeral components, only the component ID is needed in the URI; for a durable one it makes up a worker.
	component2Worker2Client := component1.NewComponent2Api(
		component1.GolemRpc0_1_0_TypesUri{
			Value: fmt.Sprintf("urn:worker:%s", component2ID),
		},
	)
	defer component2Worker2Client.Drop()

	futureResult1 := component2Worker1Client.Get()
	defer futureResult1.Drop()

	futureResult2 := component2Worker2Client.Get()
	defer futureResult2.Drop()

	pollResult1 := futureResult1.Subscribe()
	defer pollResult1.Drop()

	pollResult2 := futureResult2.Subscribe()
	defer pollResult2.Drop()

	futures := []component1.RpcdemoComponent2StubStubComponent2FutureGetResult{futureResult1, futureResult2}
	polls := []component1.WasiIo0_2_0_PollPollable{pollResult1, pollResult2}
	results := make([]uint64, len(futures))
	for {
		// One at a time: see pageLoop.
		for _, idx := range component1.WasiIo0_2_0_PollPoll(polls)[:1] {
			result := futures[idx].Get()
			if result.IsNone() {
				panic("no future result after poll success")
			}
			results[idx] = result.Unwrap()
			futures = append(futures[:idx], futures[idx+1:]...)
			polls = append(polls[:idx], polls[idx+1:]...)
		}
		if len(polls) == 0 {
			break
		}
	}
	return total*1000 + results[0] + results[1]
}

// pageLoop is the page's loop word for word. It compiles; when two futures are ready at once it removes the first one
// and then looks for the second where it no longer is, so Get above handles one at a time.
func pageLoop(
	futureResult1, futureResult2 component1.RpcdemoComponent2StubStubComponent2FutureGetResult,
	pollResult1, pollResult2 component1.WasiIo0_2_0_PollPollable,
) []uint64 {
	futures := []component1.RpcdemoComponent2StubStubComponent2FutureGetResult{futureResult1, futureResult2}
	polls := []component1.WasiIo0_2_0_PollPollable{pollResult1, pollResult2}
	results := make([]uint64, len(futures))
	for {
		// Poll returns the indices of the finished future poll handles
		for _, idx := range component1.WasiIo0_2_0_PollPoll(polls) {
			result := futures[idx].Get()
			if result.IsNone() {
				panic("no future result after poll success")
			}
			results[idx] = result.Unwrap()
			futures = append(futures[:idx], futures[idx+1:]...)
			polls = append(polls[:idx], polls[idx+1:]...)
		}
		if len(polls) == 0 {
			break
		}
	}
	return results
}

var _ = pageLoop

func main() {}
"#;

fn edit(path: &Path, from: &str, to: &str) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("no {}", path.display()))?;
    ensure!(
        text.contains(from),
        "{} has no {from:?}:\n{text}",
        path.display()
    );
    std::fs::write(path, text.replace(from, to))?;
    Ok(())
}

fn make(directory: &Path, target: &str) -> Result<()> {
    let tools = golem_cli()?;
    let tools = tools.parent().context("where is golem-cli?")?;
    let path = format!(
        "{}:{}",
        tools.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let output = Command::new("make")
        .arg(target)
        .current_dir(directory)
        .env("PATH", path)
        .output()
        .context("no make")?;
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    ensure!(
        output.status.success(),
        "make {target} in {}:\n{text}",
        directory.display()
    );
    Ok(())
}

#[test]
fn every_command_and_snippet_of_the_page_works() -> Result<()> {
    if needs_go("every_command_and_snippet_of_the_page_works") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let root = folder.path();
    // Create components
    for name in ["component1", "component2"] {
        run(
            root,
            &[
                "new",
                "--example",
                "go-default",
                "--package-name",
                &format!("rpcdemo:{name}"),
                name,
            ],
        )?;
        // "Then to avoid naming problems, we rename the exported interfaces"
        let wit = root.join(name).join(format!("wit/{name}.wit"));
        edit(&wit, "interface api {", &format!("interface {name}-api {{"))?;
        edit(&wit, "export api;", &format!("export {name}-api;"))?;
    }
    // "Updating the main.go component implementations is also needed based on the above."
    edit(
        &root.join("component2/main.go"),
        "SetExportsRpcdemoComponent2Api(",
        "SetExportsRpcdemoComponent2Component2Api(",
    )?;
    // Generate RPC client stub definition and component
    run(
        root,
        &[
            "stubgen",
            "build",
            "--source-wit-root",
            "component2/wit",
            "--dest-wasm",
            "component2-stub/component2_stub.wasm",
            "--dest-wit-root",
            "component2-stub/wit",
        ],
    )?;
    for file in [
        "component2-stub/component2_stub.wasm",
        "component2-stub/wit/_stub.wit",
        "component2-stub/wit/deps",
    ] {
        ensure!(root.join(file).exists(), "no {file}");
    }
    // Add the stub dependency to the caller project
    run(
        root,
        &[
            "stubgen",
            "add-stub-dependency",
            "--stub-wit-root",
            "component2-stub/wit",
            "--dest-wit-root",
            "component1/wit",
            "--overwrite",
        ],
    )?;
    for file in [
        "component1/wit/deps/rpcdemo_component2/component2.wit",
        "component1/wit/deps/rpcdemo_component2-stub/_stub.wit",
    ] {
        ensure!(root.join(file).exists(), "no {file}");
    }
    // Import the stub definition in the caller world
    let wit = root.join("component1/wit/component1.wit");
    edit(
        &wit,
        "export component1-api;",
        "import rpcdemo:component2-stub/stub-component2;\n  export component1-api;",
    )?;
    // Regenerate bindings
    make(&root.join("component1"), "bindings")?;
    // Creating the worker client, calling worker client functions
    std::fs::write(root.join("component1/main.go"), MAIN)?;
    make(&root.join("component1"), "build")?;
    make(&root.join("component2"), "build")?;
    // Composing the stub client component into the caller component
    run(
        &root.join("component1"),
        &[
            "stubgen",
            "compose",
            "--source-wasm",
            "component1.wasm",
            "--stub-wasm",
            "../component2-stub/component2_stub.wasm",
            "--dest-wasm",
            "component1-with-component2-stub.wasm",
        ],
    )?;
    // A stub component that another tool has made, which forwards to golem:rpc.
    let foreign = wat::parse_file(guests().join("foreign-stub/stub.wat"))?;
    std::fs::write(root.join("component2-stub/foreign.core.wasm"), foreign)?;
    let world = "wasm-rpc-stub-component2";
    let stub = [
        "build",
        "--module",
        "foreign.core.wasm",
        "--world",
        world,
        "--output",
        "foreign.wasm",
    ];
    run(&root.join("component2-stub"), &stub)?;
    let foreign = "../component2-stub/foreign.wasm";
    let dest = "component1-with-foreign-stub.wasm";
    let compose = [
        "--source-wasm",
        "component1.wasm",
        "--stub-wasm",
        foreign,
        "--dest-wasm",
        dest,
    ];
    run(
        &root.join("component1"),
        &[&["stubgen", "compose"], &compose[..]].concat(),
    )?;
    // "then component1-with-component2-stub.wasm is ready to be deployed", and so is component1.wasm as it is.
    for caller in [
        "component1/component1-with-component2-stub.wasm",
        "component1/component1.wasm",
        "component1/component1-with-foreign-stub.wasm",
    ] {
        deploy_and_call(root, caller)?;
    }
    Ok(())
}

fn deploy_and_call(root: &Path, caller: &str) -> Result<()> {
    let data = tempfile::tempdir()?;
    let server = Server::start(data.path())?;
    let cli = |server: &Server, arguments: &[&str]| -> Result<Value> {
        let text = run(
            root,
            &[&["--url", server.url(), "--format", "json"], arguments].concat(),
        )?;
        serde_json::from_str(&text)
            .with_context(|| format!("golem-cli {arguments:?} printed {text}"))
    };
    cli(
        &server,
        &[
            "component",
            "add",
            "--component-name",
            "component2",
            "component2/component2.wasm",
        ],
    )?;
    cli(
        &server,
        &["component", "add", "--component-name", "component1", caller],
    )?;
    let component2 = cli(
        &server,
        &["component", "get", "--component-name", "component2"],
    )?;
    let urn = component2["componentUrn"]
        .as_str()
        .context("no componentUrn")?;
    let id = urn.split(':').nth(2).context("no id in the URN")?;
    let env = format!("COMPONENT2_ID={id}");
    cli(
        &server,
        &[
            "worker",
            "add",
            "--component-name",
            "component1",
            "--worker-name",
            "w",
            "--env",
            &env,
        ],
    )?;
    let invoke =
        |server: &Server, component: &str, worker: &str, function: &str, arguments: &[&str]| {
            let function = format!("rpcdemo:{component}/{component}-api.{{{function}}}");
            let mut call = vec![
                "worker",
                "invoke-and-await",
                "--component-name",
                component,
                "--worker-name",
                worker,
            ];
            call.extend(["--function", &function]);
            call.extend(arguments.iter().flat_map(|argument| ["--arg", argument]));
            cli(server, &call)
        };
    invoke(&server, "component1", "w", "add", &["3"])?;
    invoke(&server, "component1", "w", "add", &["4"])?;
    server.kill()?;
    let server = Server::start(data.path())?;
    let total = invoke(&server, "component1", "w", "get", &[])?;
    // Like the page's, the loop puts a result at the place that its future has at the moment, so the second one to be
    // ready may overwrite the first: 6 from the target worker, 0 from the other, in either order.
    ensure!(
        total["value"] == json!([7006]) || total["value"] == json!([7000]),
        "{caller}: component1 answers {total}"
    );
    let target = invoke(&server, "component2", "target-worker", "get", &[])?;
    ensure!(
        target["value"] == json!([6]),
        "{caller}: component2 answers {target}"
    );
    Ok(())
}
