// SPDX-License-Identifier: Apache-2.0
//! THE DESK / scenario raw: a file of scenarios as it is written, key by key. Unknown keys are errors. Never checks how keys fit
//! together. Read next: `read.rs`. Why: docs/testing.md is this file in words.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;
use serde_saphyr::Spanned;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Raw {
    /// The stories, in order.
    pub(crate) scenarios: Vec<Spanned<RawScenario>>,
}

/// One story.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawScenario {
    pub(crate) name: String,
    pub(crate) now: Option<String>,
    #[serde(default)]
    pub(crate) begins_with: BTreeMap<String, PathBuf>,
    #[serde(default)]
    pub(crate) secrets: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub(crate) workers: BTreeMap<String, Spanned<RawWorker>>,
    #[serde(default)]
    pub(crate) http: Vec<Spanned<RawRule>>,
    pub(crate) steps: Vec<Spanned<RawStep>>,
}

/// A worker.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawWorker {
    pub(crate) component: Option<String>,
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) args: Vec<String>,
}

/// What the network answers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawRule {
    pub(crate) request: String,
    pub(crate) status: Option<u16>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) body: String,
    #[serde(default)]
    pub(crate) repeatable: bool,
}

/// One step: a verb and what goes with it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct RawStep {
    pub(crate) invoke: Option<String>,
    pub(crate) start: Option<String>,
    pub(crate) r#await: Option<String>,
    pub(crate) schedule: Option<String>,
    pub(crate) advance: Option<String>,
    pub(crate) complete_promise: Option<String>,
    pub(crate) crash: Option<bool>,
    pub(crate) update: Option<String>,
    pub(crate) http: Option<String>,
    pub(crate) sent: Option<String>,
    pub(crate) oplog: Option<String>,
    pub(crate) status: Option<String>,

    pub(crate) worker: Option<String>,
    pub(crate) args: Option<Vec<String>>,
    pub(crate) key: Option<String>,
    pub(crate) timeout: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) r#as: Option<String>,
    pub(crate) to: Option<PathBuf>,
    pub(crate) headers: Option<BTreeMap<String, String>>,
    pub(crate) body: Option<String>,
    pub(crate) count: Option<u64>,
    pub(crate) expect: Option<String>,
    pub(crate) expect_error: Option<String>,
    pub(crate) expect_status: Option<u16>,
}

/// A verb and the keys that go with it.
pub(crate) struct Verb {
    /// Its key.
    pub(crate) key: &'static str,
    /// Keys that may stand beside it.
    pub(crate) beside: &'static [&'static str],
}

/// All verbs.
pub(crate) const VERBS: &[Verb] = &[
    Verb {
        key: "invoke",
        beside: &["worker", "args", "key", "timeout", "expect", "expect-error"],
    },
    Verb {
        key: "start",
        beside: &["worker", "args", "key", "timeout", "as"],
    },
    Verb {
        key: "await",
        beside: &["expect", "expect-error"],
    },
    Verb {
        key: "schedule",
        beside: &["worker", "args", "key", "after"],
    },
    Verb {
        key: "advance",
        beside: &[],
    },
    Verb {
        key: "complete-promise",
        beside: &["worker"],
    },
    Verb {
        key: "crash",
        beside: &[],
    },
    Verb {
        key: "update",
        beside: &["worker", "to"],
    },
    Verb {
        key: "http",
        beside: &[
            "worker",
            "headers",
            "body",
            "key",
            "expect",
            "expect-status",
        ],
    },
    Verb {
        key: "sent",
        beside: &["count"],
    },
    Verb {
        key: "oplog",
        beside: &["worker", "count"],
    },
    Verb {
        key: "status",
        beside: &["worker"],
    },
];

impl RawStep {
    /// The verbs that are there.
    pub(crate) fn verbs(&self) -> Vec<&'static Verb> {
        let here = [
            self.invoke.is_some(),
            self.start.is_some(),
            self.r#await.is_some(),
            self.schedule.is_some(),
            self.advance.is_some(),
            self.complete_promise.is_some(),
            self.crash.is_some(),
            self.update.is_some(),
            self.http.is_some(),
            self.sent.is_some(),
            self.oplog.is_some(),
            self.status.is_some(),
        ];
        let verbs = VERBS.iter().zip(here);
        verbs
            .filter(|(_, here)| *here)
            .map(|(verb, _)| verb)
            .collect()
    }

    /// The other keys that are there.
    pub(crate) fn beside(&self) -> Vec<&'static str> {
        let here = [
            ("worker", self.worker.is_some()),
            ("args", self.args.is_some()),
            ("key", self.key.is_some()),
            ("timeout", self.timeout.is_some()),
            ("after", self.after.is_some()),
            ("as", self.r#as.is_some()),
            ("to", self.to.is_some()),
            ("headers", self.headers.is_some()),
            ("body", self.body.is_some()),
            ("count", self.count.is_some()),
            ("expect", self.expect.is_some()),
            ("expect-error", self.expect_error.is_some()),
            ("expect-status", self.expect_status.is_some()),
        ];
        let here = here.into_iter();
        here.filter(|(_, here)| *here).map(|(key, _)| key).collect()
    }
}
