// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / profile: where the instructions of the hot path go. In: the server under valgrind's callgrind, or beside `perf
//! stat`. Out: instructions for each call, by function, which are the same on a busy machine. Never measures time.
//! Skipped, and says so, where neither is there. Read next: benches/README.md, "Instructions".

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};
use serde_json::json;

use crate::args::Profile;
use crate::guests::tiny;
use crate::http::Connection;
use crate::process::Program;
use crate::report;
use crate::rest;
use crate::rows;
use crate::subject::{Api, Components, Op};

/// Instances that the profiled server keeps.
const RESIDENT_MAX: &str = "8";
/// Calls before counting: code is loaded, buffers have their size.
const WARM_CALLS: u64 = 50;

/// `PR_GET_AUXV` of `linux/prctl.h`.
const PR_GET_AUXV: u64 = 0x4155_5856;

/// An operation whose instructions are counted.
struct Operation {
    id: &'static str,
    what: &'static str,
    op: Op,
    /// Whether each call goes to a worker of its own.
    new: bool,
}

const PATHS: [Operation; 3] = [
    Operation {
        id: "inv-seq",
        what: "add on one worker: request, queue, guest, log, commit, reply",
        op: Op::TinyAdd,
        new: false,
    },
    Operation {
        id: "get-seq",
        what: "the same without a change of state",
        op: Op::TinyGet,
        new: false,
    },
    Operation {
        id: "cold",
        what: "first call on a new worker: the same and an instance",
        op: Op::TinyAdd,
        new: true,
    },
];

/// What counts.
enum Tool {
    Callgrind,
    Perf,
}

/// Becomes the program of `words` in a world where `prctl(PR_GET_AUXV)` is unknown, as in kernels before 6.4. Valgrind hides the
/// vDSO of the process from every other way to ask for the auxiliary vector, but not from this one, and rustix then reads memory
/// that is not there. Returns only if that fails.
pub(crate) fn launch(words: &[String]) -> anyhow::Result<()> {
    let (program, words) = words.split_first().context("no program is named")?;
    let asked = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, PR_GET_AUXV)?;
    let rules = [(libc::SYS_prctl, vec![SeccompRule::new(vec![asked])?])];
    let filter = SeccompFilter::new(
        rules.into_iter().collect(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EINVAL as u32),
        std::env::consts::ARCH.try_into()?,
    )?;
    let filter: BpfProgram = filter.try_into()?;
    seccompiler::apply_filter(&filter)?;
    let error = Command::new(program).args(words).exec();
    Err(error).with_context(|| format!("failed to start `{program}`"))
}

/// Counts, prints, and writes the JSON file. Errors: the server does not start, a call fails.
pub(crate) async fn run(args: &Profile) -> anyhow::Result<()> {
    let works = |program: &str| {
        let mut command = Command::new(program);
        command
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let tool = if works("valgrind") && works("callgrind_control") {
        Tool::Callgrind
    } else if works("perf") {
        Tool::Perf
    } else {
        return report::say(
            "profile skipped: neither valgrind nor perf is here\nhint: apt-get install valgrind",
        );
    };
    let dir = match &args.dir {
        Some(dir) => dir.clone(),
        None => std::env::current_exe()?
            .parent()
            .context("this program has no folder")?
            .join("profile-run"),
    };
    let (golem_cli, dir) = rows::prepare(args.golem_cli.as_deref(), Some(&dir))?;
    // Valgrind has room for about thirty reservations of 4 GiB.
    let mut server = Program::server(&golem_cli, &dir)?.with(&["--resident-max", RESIDENT_MAX]);
    if let Tool::Callgrind = tool {
        let options = [
            "launch".to_owned(),
            "valgrind".to_owned(),
            "--tool=callgrind".to_owned(),
            // Counting starts when it is told to: compiling a component is not the hot path.
            "--instr-atstart=no".to_owned(),
            // The code of guests is made while the program runs.
            "--smc-check=all-non-file".to_owned(),
            format!("--callgrind-out-file={}", dir.join("counts").display()),
        ];
        server = server.under(&std::env::current_exe()?, options.to_vec());
    }
    server.start().await?;
    let mut connection = Connection::open(server.address).await?;
    let tiny = rest::upload(&mut connection, "tiny", "Durable", &tiny()?).await?;
    let api = Api::Ours(
        Components {
            tiny,
            ..Components::default()
        }
        .into(),
    );
    let mut found = Vec::new();
    for path in &PATHS {
        let mut counting = None;
        for call in 0..WARM_CALLS + args.calls {
            if call == WARM_CALLS {
                counting = Some(Counting::start(&tool, &server, &dir, path.id)?);
            }
            let key = if path.new { call } else { 0 };
            let worker = format!("{}-{key}", path.id);
            let n = (path.op == Op::TinyAdd).then_some(1);
            api.ask(&mut connection, path.op, &worker, n).await?;
        }
        let counting = counting.context("nothing was counted")?;
        let (instructions, functions) = counting.end(&server, args.top)?;
        let each = instructions / args.calls as f64;
        report::say(&format!(
            "{:8} {:>9} instructions for each of {} calls: {}",
            path.id,
            report::short(each),
            args.calls,
            path.what
        ))?;
        for line in &functions {
            report::say(&format!("    {line}"))?;
        }
        found.push(json!({
            "id": path.id, "what": path.what, "calls": args.calls, "instructions_per_call": each, "functions": functions,
        }));
    }
    server.kill()?;
    let tool = match tool {
        Tool::Callgrind => "callgrind",
        Tool::Perf => "perf",
    };
    let result = json!({
        "revision": report::revision(), "machine": report::machine(), "tool": tool, "paths": found,
    });
    if let Some(path) = &args.json {
        std::fs::write(path, format!("{result}\n"))?;
    }
    Ok(())
}

/// Counting that goes on.
enum Counting {
    Callgrind { dir: PathBuf },
    Perf { child: Child, out: PathBuf },
}

impl Counting {
    fn start(tool: &Tool, server: &Program, dir: &Path, id: &str) -> anyhow::Result<Self> {
        match tool {
            Tool::Callgrind => {
                control(server, &["--instr=on"])?;
                control(server, &["--zero"])?;
                let dir = dir.to_path_buf();
                Ok(Self::Callgrind { dir })
            }
            Tool::Perf => {
                let out = dir.join(format!("perf-{id}"));
                let child = Command::new("perf")
                    .args(["stat", "-x", ",", "-e", "instructions:u", "-o"])
                    .arg(&out)
                    .args(["-p", &server.pid()?.to_string()])
                    .spawn()?;
                Ok(Self::Perf { child, out })
            }
        }
    }

    /// All instructions, and a line for each of the most expensive functions.
    fn end(self, server: &Program, top: usize) -> anyhow::Result<(f64, Vec<String>)> {
        match self {
            Self::Callgrind { dir } => {
                control(server, &["--dump"])?;
                control(server, &["--instr=off"])?;
                annotated(&newest(&dir)?, top)
            }
            Self::Perf { mut child, out } => {
                let ended = Command::new("kill")
                    .args(["-INT", &child.id().to_string()])
                    .status()?;
                anyhow::ensure!(ended.success(), "failed to end `perf`");
                child.wait()?;
                let text = std::fs::read_to_string(&out)?;
                let count = text.lines().find_map(|line| {
                    let count = line.split(',').next()?;
                    line.contains("instructions").then(|| count.parse().ok())?
                });
                let count =
                    count.with_context(|| format!("perf counts no instructions here: {text}"))?;
                Ok((count, Vec::new()))
            }
        }
    }
}

fn control(server: &Program, words: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("callgrind_control")
        .args(words)
        .arg(server.pid()?.to_string())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(
        output.status.success() && text.contains("OK"),
        "`callgrind_control {}` failed: {text}",
        words.join(" ")
    );
    Ok(())
}

/// The dump with the highest number: callgrind counts them up.
fn newest(dir: &Path) -> anyhow::Result<PathBuf> {
    let mut newest: Option<(u32, PathBuf)> = None;
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(number) = name.strip_prefix("counts.").and_then(|n| n.parse().ok()) else {
            continue;
        };
        if newest.as_ref().is_none_or(|(known, _)| number > *known) {
            newest = Some((number, path));
        }
    }
    Ok(newest.context("callgrind wrote no counts")?.1)
}

fn annotated(counts: &Path, top: usize) -> anyhow::Result<(f64, Vec<String>)> {
    let output = Command::new("callgrind_annotate")
        .args(["--auto=no", "--threshold=100"])
        .arg(counts)
        .output()
        .context("failed to start `callgrind_annotate`")?;
    read(&String::from_utf8_lossy(&output.stdout), top)
        .with_context(|| format!("no counts in `{}`", counts.display()))
}

/// Total and functions of what `callgrind_annotate` says: `1,234 (56.7%)  file:function [object]`.
fn read(text: &str, top: usize) -> Option<(f64, Vec<String>)> {
    let total = text.lines().find(|line| line.ends_with("PROGRAM TOTALS"))?;
    let number = |line: &str| {
        line.split_ascii_whitespace()
            .next()?
            .replace(',', "")
            .parse::<f64>()
            .ok()
    };
    let total = number(total)?;
    let functions = text
        .lines()
        .skip_while(|line| !line.ends_with("file:function"))
        .filter_map(|line| {
            let count = number(line)?;
            let name = line.split_once("%)")?.1.trim();
            let name = name.rsplit_once(" [").map_or(name, |(name, _)| name);
            let name = name.split_once(':').map_or(name, |(_, function)| function);
            Some(format!("{:5.1} %  {name}", 100.0 * count / total))
        })
        .take(top)
        .collect();
    Some((total, functions))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read() {
        let text = "\
--------------------------------------------------------------------------------
Ir
--------------------------------------------------------------------------------
2,000 (100.0%)  PROGRAM TOTALS

--------------------------------------------------------------------------------
Ir             file:function
--------------------------------------------------------------------------------
1,500 (75.00%)  ???:golem_engine::run::run [/x/golem-cli]
  500 (25.00%)  ./string/memcpy.c:memcpy [/lib/libc.so.6]
";
        let (total, functions) = read(text, 9).unwrap();
        assert_eq!(total, 2000.0);
        assert_eq!(
            functions,
            [" 75.0 %  golem_engine::run::run", " 25.0 %  memcpy"]
        );
        assert!(read("nothing", 9).is_none());
    }
}
