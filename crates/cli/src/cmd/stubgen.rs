// SPDX-License-Identifier: Apache-2.0
//! THE DESK / stubgen: makes and uses RPC stubs, step by step. In directories, out WIT and components.
//! Never changes the WIT of the component that is called. Read next: crates/wit/src/stub/mod.rs, crates/wit/src/deps.rs.
//! Why: client specification §3.1; every flag of the era is taken.

use std::path::{Path, PathBuf};

use golem_wit::{compose, deps, stub};
use serde::Serialize;

use crate::{error::Outcome, output::Out};

/// Options of `stubgen`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  golem-cli stubgen build --source-wit-root component2/wit \\
      --dest-wasm component2-stub/component2_stub.wasm --dest-wit-root component2-stub/wit
  golem-cli stubgen add-stub-dependency --stub-wit-root component2-stub/wit --dest-wit-root component1/wit --overwrite")]
pub(crate) struct Args {
    /// The step.
    #[command(subcommand)]
    step: Step,
}

/// The steps.
#[derive(Debug, clap::Subcommand)]
enum Step {
    /// Make a Rust crate with the client side of a component's stub
    #[command(
        after_help = "Example:\n  golem-cli stubgen generate -s component2/wit -d component2-stub"
    )]
    Generate(Generate),
    /// Make the stub of a component: its WIT and its wasm
    #[command(after_help = "Example:
  golem-cli stubgen build --source-wit-root component2/wit \\
      --dest-wasm component2-stub/component2_stub.wasm --dest-wit-root component2-stub/wit")]
    Build(Build),
    /// Add the WIT of a stub to the component that calls
    #[command(after_help = "Example:
  golem-cli stubgen add-stub-dependency --stub-wit-root component2-stub/wit --dest-wit-root component1/wit --overwrite")]
    AddStubDependency(AddStubDependency),
    /// Plug stub components into the component that calls
    #[command(after_help = "Example:
  golem-cli stubgen compose --source-wasm component1.wasm --stub-wasm component2-stub/component2_stub.wasm \\
      --dest-wasm component1-with-component2-stub.wasm")]
    Compose(Compose),
    /// Write cargo-make tasks for a Rust workspace of callers and targets
    #[command(
        after_help = "Example:\n  golem-cli stubgen initialize-workspace --targets counter --callers shop"
    )]
    InitializeWorkspace(InitializeWorkspace),
}

/// What steps that read a target have in common.
#[derive(Debug, clap::Args)]
struct Source {
    /// WIT directory of the component that is called
    #[arg(short, long, value_name = "DIR")]
    source_wit_root: PathBuf,
    /// Its world, when it has several
    #[arg(short, long, value_name = "NAME")]
    world: Option<String>,
    /// Version of the stub crate (`build` has no crate and takes it without effect)
    #[arg(long, value_name = "VERSION", default_value = "0.0.1")]
    stub_crate_version: String,
    /// Write the target's types into the stub instead of using them from the target
    #[arg(long)]
    always_inline_types: bool,
    /// Let every call return a typed error instead of ending the caller when it fails
    #[arg(long)]
    error_results: bool,
    #[command(flatten)]
    overrides: Overrides,
}

/// Where the Rust library of the era came from; taken, but nothing is compiled any more.
#[derive(Debug, clap::Args)]
struct Overrides {
    /// No effect: no Rust library is needed
    #[arg(
        long,
        value_name = "PATH",
        conflicts_with = "wasm_rpc_version_override"
    )]
    wasm_rpc_path_override: Option<PathBuf>,
    /// No effect: no Rust library is needed
    #[arg(long, value_name = "VERSION")]
    wasm_rpc_version_override: Option<String>,
}

/// Options of `stubgen generate`.
#[derive(Debug, clap::Args)]
struct Generate {
    #[command(flatten)]
    source: Source,
    /// Where the crate goes
    #[arg(short, long, value_name = "DIR")]
    dest_crate_root: PathBuf,
}

/// Options of `stubgen build`.
#[derive(Debug, clap::Args)]
struct Build {
    #[command(flatten)]
    source: Source,
    /// Where the stub component goes
    #[arg(long, value_name = "FILE")]
    dest_wasm: PathBuf,
    /// Where the WIT of the stub goes
    #[arg(long, value_name = "DIR")]
    dest_wit_root: PathBuf,
}

/// Options of `stubgen add-stub-dependency`.
#[derive(Debug, clap::Args)]
struct AddStubDependency {
    /// WIT directory of the stub
    #[arg(short, long, value_name = "DIR")]
    stub_wit_root: PathBuf,
    /// WIT directory of the component that calls
    #[arg(short, long, value_name = "DIR")]
    dest_wit_root: PathBuf,
    /// Replace packages that are there with another meaning
    #[arg(short, long)]
    overwrite: bool,
    /// Also add the packages to the Cargo.toml of a cargo-component project
    #[arg(short, long)]
    update_cargo_toml: bool,
    /// Refuse a stub whose calls do not return typed errors
    #[arg(long)]
    error_results: bool,
}

impl Source {
    fn flavour(&self) -> stub::Flavour {
        if self.error_results {
            stub::Flavour::ErrorResults
        } else {
            stub::Flavour::Trapping
        }
    }
}

/// Options of `stubgen compose`.
#[derive(Debug, clap::Args)]
struct Compose {
    /// The component that calls
    #[arg(long, value_name = "FILE")]
    source_wasm: PathBuf,
    /// A stub component; can be given several times
    #[arg(long, value_name = "FILE", required = true)]
    stub_wasm: Vec<PathBuf>,
    /// Where the composed component goes
    #[arg(long, value_name = "FILE")]
    dest_wasm: PathBuf,
}

/// Options of `stubgen initialize-workspace`.
#[derive(Debug, clap::Args)]
struct InitializeWorkspace {
    /// A member that is called; can be given several times
    #[arg(long, value_name = "NAME", required = true)]
    targets: Vec<String>,
    /// A member that calls; can be given several times
    #[arg(long, value_name = "NAME", required = true)]
    callers: Vec<String>,
    #[command(flatten)]
    overrides: Overrides,
}

/// Does the step. Text mode prints `Done`, as scripts of the era expect.
pub(crate) fn run(args: Args, out: &Out) -> Outcome {
    match args.step {
        Step::Generate(a) => generate(&a, out),
        Step::Build(a) => build(&a, out),
        Step::AddStubDependency(a) => add(&a, out),
        Step::Compose(a) => plug(&a, out),
        Step::InitializeWorkspace(a) => workspace(&a, out),
    }
}

fn generate(args: &Generate, out: &Out) -> Outcome {
    overrides(&args.source.overrides, out);
    let made = stub::generate(stub::GenerateRequest {
        source_wit_root: &args.source.source_wit_root,
        dest_crate_root: &args.dest_crate_root,
        world: args.source.world.as_deref(),
        stub_crate_version: &args.source.stub_crate_version,
        always_inline_types: args.source.always_inline_types,
        flavour: args.source.flavour(),
    })?;
    warn_all(out, &made.notes);
    done(
        out,
        &serde_json::json!({ "package": made.stub.package.to_string(), "files": made.files }),
    );
    Ok(())
}

fn build(args: &Build, out: &Out) -> Outcome {
    overrides(&args.source.overrides, out);
    let built = stub::build(stub::BuildRequest {
        source_wit_root: &args.source.source_wit_root,
        dest_wasm: &args.dest_wasm,
        dest_wit_root: &args.dest_wit_root,
        world: args.source.world.as_deref(),
        always_inline_types: args.source.always_inline_types,
        flavour: args.source.flavour(),
    })?;
    warn_all(out, &built.notes);
    for file in &built.files {
        out.note(&format!("wrote {}", shown(&args.dest_wit_root, file)));
    }
    out.note(&format!(
        "wrote {} ({} bytes)",
        args.dest_wasm.display(),
        built.wasm_bytes
    ));
    done(
        out,
        &serde_json::json!({
            "package": built.stub.package.to_string(), "interface": built.stub.interface,
            "files": built.files, "wasm": args.dest_wasm, "wasmBytes": built.wasm_bytes,
        }),
    );
    Ok(())
}

fn add(args: &AddStubDependency, out: &Out) -> Outcome {
    if args.error_results {
        deps::require_error_results(&args.stub_wit_root)?;
    }
    let report = deps::add_stub_dependency(
        &args.stub_wit_root,
        &args.dest_wit_root,
        args.overwrite,
        args.update_cargo_toml,
    )?;
    warn_all(out, &report.warnings);
    for file in report.created.iter().chain(&report.overwritten) {
        out.note(&format!("wrote {}", shown(&args.dest_wit_root, file)));
    }
    for file in &report.removed {
        out.note(&format!("removed {}", shown(&args.dest_wit_root, file)));
    }
    for reason in &report.skipped {
        out.note(&format!("skipped {reason}"));
    }
    out.note(&format!("the world needs: {}", report.import));
    done(
        out,
        &serde_json::json!({
            "stub": report.stub, "import": report.import, "created": report.created, "overwritten": report.overwritten,
            "removed": report.removed, "upToDate": report.up_to_date, "skipped": report.skipped,
        }),
    );
    Ok(())
}

fn plug(args: &Compose, out: &Out) -> Outcome {
    let composed = compose::compose_to(&args.source_wasm, &args.stub_wasm, &args.dest_wasm)?;
    for stub in &composed.unused {
        out.warn(&format!("Skipping {}, not used", stub.display()));
    }
    out.note(&format!(
        "wrote {} ({} bytes)",
        args.dest_wasm.display(),
        composed.bytes.len()
    ));
    done(
        out,
        &serde_json::json!({ "wasm": args.dest_wasm, "used": composed.used, "unused": composed.unused }),
    );
    Ok(())
}

fn workspace(args: &InitializeWorkspace, out: &Out) -> Outcome {
    overrides(&args.overrides, out);
    let made = stub::initialize_workspace(stub::WorkspaceRequest {
        root: Path::new("."),
        targets: &args.targets,
        callers: &args.callers,
    })?;
    out.note(&format!("wrote {}", made.makefile.display()));
    done(
        out,
        &serde_json::json!({ "makefile": made.makefile, "tasks": made.tasks }),
    );
    Ok(())
}

fn done<T: Serialize>(out: &Out, value: &T) {
    out.view(value, |_| "Done".to_owned());
}

fn warn_all(out: &Out, notes: &[String]) {
    for note in notes {
        out.warn(note);
    }
}

fn overrides(overrides: &Overrides, out: &Out) {
    if overrides.wasm_rpc_path_override.is_some() || overrides.wasm_rpc_version_override.is_some() {
        out.warn("--wasm-rpc-path-override and --wasm-rpc-version-override have no effect: no Rust library is needed");
    }
}

fn shown(root: &Path, file: &Path) -> String {
    root.join(file).display().to_string()
}
