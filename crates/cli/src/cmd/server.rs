// SPDX-License-Identifier: Apache-2.0
//! THE DESK / server: runs the whole platform in this process. In options, out a server until Ctrl-C.
//! Never knows how the server works. Read next: crates/server/src/lib.rs.

use std::{net::IpAddr, path::PathBuf};

use golem_model::limit::Bound;
use golem_model::size::parse_size;

use crate::args::LogFormat;
use crate::error::{Failure, Outcome};
use crate::exit;
use crate::output::Out;

/// Options of `server`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  golem-cli server run --data-dir ./data")]
pub(crate) struct Args {
    /// What to do with the server.
    #[command(subcommand)]
    verb: Verb,
}

/// What to do with the server.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Run a server until Ctrl-C
    Run(Run),
}

/// Options of `server run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  golem-cli server run --data-dir ./data --port 9881")]
struct Run {
    /// Where components, workers and their oplogs are kept [default: $XDG_STATE_HOME/golem, else ~/.local/state/golem]
    #[arg(long, value_name = "DIR", env = "GOLEM_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// The port of the REST API
    #[arg(long, default_value_t = 9881)]
    port: u16,
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Empty the data directory first
    #[arg(long)]
    clean: bool,
    /// Ask for a token on this machine too; on an address that other machines reach, requests always need one
    #[arg(long)]
    auth: bool,
    /// Ask nobody who they are, although other machines reach the address
    #[arg(long, conflicts_with = "auth")]
    insecure_bind: bool,
    /// Speak TLS with this certificate (PEM, with the chain); a renewed file is taken without a restart
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Take JSON web tokens of the issuers in this file (YAML) as well; then requests need a token on this machine, too
    #[arg(long, value_name = "FILE", conflicts_with = "insecure_bind")]
    jwt: Option<PathBuf>,
    /// A proxy that others come through, by its address or network (`10.0.0.0/8`); may be given several times. Whom it names in
    /// `Forwarded` or `X-Forwarded-For` counts for rates and in the log of changes. Then requests need a token on this machine, too
    #[arg(
        long,
        value_name = "NETWORK",
        env = "GOLEM_TRUSTED_PROXY",
        value_delimiter = ','
    )]
    trusted_proxy: Vec<golem_server::ProxyNetwork>,
    /// Requests of one identity in a second; 0: any number [default: 1000 where requests need a token, else any number]
    #[arg(long, value_name = "N")]
    rate_limit: Option<u32>,
    /// Requests of one address in a second; 0: any number [default: 4000 where requests need a token, else any number]
    #[arg(long, value_name = "N")]
    rate_limit_address: Option<u32>,
    /// Tokens that do not hold which one address may show in a minute before it is locked out for one; 0: any number [default: 20]
    #[arg(long, value_name = "N")]
    auth_failures: Option<u32>,
    /// Idle instances that stay in memory at most; half of them when the server is quiet, so that new ones have room [default: 8192]
    #[arg(long, value_name = "N")]
    resident_max: Option<usize>,
    /// Memory of the whole server above which workers without work leave it, those that were left alone longest first:
    /// `512MiB`, `2GiB` [default: 70 % of the machine, or of its control group]
    #[arg(long, value_name = "SIZE", env = "GOLEM_MEMORY_MAX")]
    memory_max: Option<String>,
    /// A host that workers may send requests to: `api.example.com`, `*.example.com:443`, `127.0.0.1:8080`, `*`; may be
    /// given several times. Without one, workers reach nothing
    #[arg(
        long,
        value_name = "HOST",
        env = "GOLEM_ALLOW_NETWORK",
        value_delimiter = ','
    )]
    allow_network: Vec<golem_server::HostRule>,
    /// An address that workers may listen on: `127.0.0.1:8080`, `0.0.0.0:53`, `127.0.0.1:*`; port 0 lets the system choose;
    /// may be given several times. Without one, workers listen nowhere
    #[arg(
        long,
        value_name = "ADDR:PORT",
        env = "GOLEM_ALLOW_LISTEN",
        value_delimiter = ','
    )]
    allow_listen: Vec<golem_server::ListenRule>,
    /// Let components that declare no `capabilities` in their golem.yaml reach nothing; without this they reach all that
    /// --allow-network and --allow-listen name
    #[arg(long, env = "GOLEM_REQUIRE_CAPABILITIES")]
    require_capabilities: bool,
    /// How much a worker may use when its component does not say: `memory=256MiB`, `cpuTime=10s`, `oplog=1GiB`,
    /// `logRate=1MiB/s`, `handles=1000`, `hostCalls=100000`; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_delimiter = ',')]
    limit_default: Vec<Bound>,
    /// The most of it that a component may ask for; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_delimiter = ',')]
    limit_max: Vec<Bound>,
    /// Send spans of invocations and calls to this OpenTelemetry collector, by OTLP over HTTP: `http://127.0.0.1:4318`
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    otlp_endpoint: Option<String>,
    /// Headers for the collector, such as `api-key=…`; by the variable, since others can see a command line
    #[arg(
        long,
        value_name = "LIST",
        env = "OTEL_EXPORTER_OTLP_HEADERS",
        hide_env_values = true,
        hide = true
    )]
    otlp_headers: Option<String>,
    /// How the server logs on standard error: for people, or one JSON object a line
    #[arg(long, value_name = "FORMAT", env = "GOLEM_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// The file with the key that seals secrets, made with the first one [default: secret.key in the data directory]
    #[arg(long, value_name = "FILE", env = "GOLEM_SECRET_KEY_FILE")]
    secret_key_file: Option<PathBuf>,
    /// Die at a commit, for tests of recovery: `before:N` or `after:N`
    #[arg(long, hide = true, value_name = "POINT")]
    crash_at: Option<golem_server::CrashPoint>,
}

impl Args {
    /// How the server logs.
    pub(crate) fn log_format(&self) -> LogFormat {
        let Verb::Run(run) = &self.verb;
        run.log_format
    }
}

/// Runs the server until SIGINT or SIGTERM.
pub(crate) fn run(args: Args, out: &Out) -> Outcome {
    let Verb::Run(run) = args.verb;
    let memory_bytes = run
        .memory_max
        .as_deref()
        .map(parse_size)
        .transpose()
        .map_err(Failure::exit_with(exit::USAGE))?;
    let options = golem_server::Options {
        data_dir: run.data_dir.unwrap_or_else(default_data_dir),
        host: run.host,
        port: run.port,
        clean: run.clean,
        auth: run.auth,
        insecure_bind: run.insecure_bind,
        tls: run
            .tls_cert
            .zip(run.tls_key)
            .map(|(cert, key)| golem_server::TlsFiles { cert, key }),
        jwt: run.jwt,
        proxies: run.trusted_proxy,
        rates: golem_server::RateChanges {
            identity_per_second: run.rate_limit,
            address_per_second: run.rate_limit_address,
            failures_per_minute: run.auth_failures,
        },
        resident_max: run.resident_max,
        memory_bytes,
        allow_network: run.allow_network,
        allow_listen: run.allow_listen,
        declared_only: run.require_capabilities,
        limits: golem_server::LimitPolicy {
            defaults: run.limit_default.into_iter().collect(),
            maxima: run.limit_max.into_iter().collect(),
        },
        collector: run
            .otlp_endpoint
            .as_deref()
            .map(|url| golem_server::Collector::new(url, run.otlp_headers.as_deref()))
            .transpose()?,
        secret_key: run.secret_key_file,
        crash_at: run.crash_at,
    };
    let ready = |started: golem_server::Started| {
        let scheme = if started.tls { "https" } else { "http" };
        if let Some(file) = started.owner_token {
            let file = file.display();
            out.note(&format!(
                "the token of the first owner is in `{file}`: export GOLEM_TOKEN=$(cat '{file}')"
            ));
        }
        out.data(&format!("listening on {scheme}://{}\n", started.address));
    };
    let ends = *out;
    golem_server::run_until_signal(options, ready, move |error| end(ends, error))?;
    Ok(())
}

/// Ends the process at once, while everything else still runs: nothing may be acknowledged any more.
#[expect(
    clippy::exit,
    reason = "a server whose disk refuses writes must not live long enough to say anything to anybody but this"
)]
fn end(out: Out, error: golem_server::ServeError) {
    let failure = Failure::from(error);
    out.failure(&failure);
    std::process::exit(failure.exit.into());
}

/// `$XDG_STATE_HOME/golem`, else `~/.local/state/golem`, else `golem-data` here. Source: client spec §1.1.
fn default_data_dir() -> PathBuf {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .map_or_else(|| PathBuf::from("golem-data"), |state| state.join("golem"))
}
