// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / filter: conditions on workers, as a listing takes them. In: `status = Idle`, or the same as JSON, where they can
//! be joined by `And`, `Or` and `Not`. Out: yes or no for a worker.
//! Never touches IO. Read next: `api.rs`. Source: client spec §6.3.
//!
//! ```text
//! condition := property op value                    three words with white space between them
//! property  := name | version | status | created_at | createdAt | env.NAME
//! op        := "=" "==" equal eq | "!=" notequal ne | like | notlike                        name, env
//!            | "=" "==" equal eq | "!=" notequal ne | ">=" ge greaterequal | ">" gt greater
//!            | "<=" le lessequal | "<" lt less                                              the others
//! ```
//! `like` means "contains".

use std::cmp::Ordering;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::WorkerMetadata;
use crate::error::Coded;
use crate::ids::{ComponentVersion, Timestamp};
use crate::worker::WorkerStatus;

/// A condition. JSON: tagged by `type`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Filter {
    /// On the name.
    Name {
        /// How it is compared.
        comparator: TextOp,
        /// With what.
        value: String,
    },
    /// On a variable of the environment; a worker without it is never chosen.
    Env {
        /// The variable.
        name: String,
        /// How it is compared.
        comparator: TextOp,
        /// With what.
        value: String,
    },
    /// On the component version.
    Version {
        /// How it is compared.
        comparator: Op,
        /// With what.
        value: ComponentVersion,
    },
    /// On the status. Ordered as in [`WorkerStatus`].
    Status {
        /// How it is compared.
        comparator: Op,
        /// With what.
        value: WorkerStatus,
    },
    /// On the moment of creation.
    CreatedAt {
        /// How it is compared.
        comparator: Op,
        /// With what.
        value: Timestamp,
    },
    /// All of them hold; of none it is true.
    And {
        /// The conditions.
        filters: Vec<Filter>,
    },
    /// One of them holds; of none it is true, as in 1.1.
    Or {
        /// The conditions.
        filters: Vec<Filter>,
    },
    /// It does not hold.
    Not {
        /// The condition.
        filter: Box<Filter>,
    },
}

/// How texts are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TextOp {
    /// The same.
    Equal,
    /// Not the same.
    NotEqual,
    /// Contains.
    Like,
    /// Does not contain.
    NotLike,
}

/// How things with an order are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Op {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `>=`
    GreaterEqual,
    /// `>`
    Greater,
    /// `<=`
    LessEqual,
    /// `<`
    Less,
}

/// A text that is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Not three words.
    #[error("`{0}` is not a condition: expected a property, a comparison and a value")]
    Words(String),
    /// A property that no worker has.
    #[error("`{property}` in `{filter}` is not a property of a worker")]
    Property {
        /// The condition.
        filter: String,
        /// The property.
        property: String,
    },
    /// A comparison that the property does not know.
    #[error("`{op}` in `{filter}` is not a comparison of this property")]
    Op {
        /// The condition.
        filter: String,
        /// The comparison.
        op: String,
    },
    /// A value that the property cannot have.
    #[error("`{value}` in `{filter}` is not a value of this property")]
    Value {
        /// The condition.
        filter: String,
        /// The value.
        value: String,
    },
}

impl Coded for FilterError {
    fn code(&self) -> &'static str {
        match self {
            Self::Words(_) => "VAL-040",
            Self::Property { .. } => "VAL-041",
            Self::Op { .. } => "VAL-042",
            Self::Value { .. } => "VAL-043",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Words(_) => "write for instance 'status = Failed', with spaces".to_owned(),
            Self::Property { .. } => "use name, version, status, created_at or env.NAME".to_owned(),
            Self::Op { .. } => "use =, !=, and like, notlike for texts or >=, >, <=, < for the rest".to_owned(),
            Self::Value { .. } => {
                "status is one of Running, Idle, Suspended, Interrupted, Retrying, Failed, Exited; version a number; \
                 created_at a moment such as 2026-01-31T12:00:00Z"
                    .to_owned()
            }
        })
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let mut words = text.split_whitespace();
        let (Some(property), Some(op), Some(value), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(FilterError::Words(text.to_owned()));
        };
        let filter = || text.to_owned();
        let text_op = || {
            text_op(op).ok_or_else(|| FilterError::Op {
                filter: filter(),
                op: op.to_owned(),
            })
        };
        let order_op = || {
            order_op(op).ok_or_else(|| FilterError::Op {
                filter: filter(),
                op: op.to_owned(),
            })
        };
        let bad = || FilterError::Value {
            filter: filter(),
            value: value.to_owned(),
        };
        match property {
            "name" => Ok(Self::Name {
                comparator: text_op()?,
                value: value.to_owned(),
            }),
            "version" => Ok(Self::Version {
                comparator: order_op()?,
                value: value.parse().map_err(|_| bad())?,
            }),
            "status" => Ok(Self::Status {
                comparator: order_op()?,
                value: status(value).ok_or_else(bad)?,
            }),
            "created_at" | "createdAt" => Ok(Self::CreatedAt {
                comparator: order_op()?,
                value: value.parse().map_err(|_| bad())?,
            }),
            other => match other.strip_prefix("env.").filter(|name| !name.is_empty()) {
                Some(name) => Ok(Self::Env {
                    name: name.to_owned(),
                    comparator: text_op()?,
                    value: value.to_owned(),
                }),
                None => Err(FilterError::Property {
                    filter: filter(),
                    property: other.to_owned(),
                }),
            },
        }
    }
}

fn text_op(word: &str) -> Option<TextOp> {
    Some(match word.to_ascii_lowercase().as_str() {
        "=" | "==" | "equal" | "eq" => TextOp::Equal,
        "!=" | "notequal" | "ne" => TextOp::NotEqual,
        "like" => TextOp::Like,
        "notlike" => TextOp::NotLike,
        _ => return None,
    })
}

fn order_op(word: &str) -> Option<Op> {
    Some(match word.to_ascii_lowercase().as_str() {
        "=" | "==" | "equal" | "eq" => Op::Equal,
        "!=" | "notequal" | "ne" => Op::NotEqual,
        ">=" | "ge" | "greaterequal" => Op::GreaterEqual,
        ">" | "gt" | "greater" => Op::Greater,
        "<=" | "le" | "lessequal" => Op::LessEqual,
        "<" | "lt" | "less" => Op::Less,
        _ => return None,
    })
}

/// All statuses, in the order in which conditions compare them.
const STATUSES: [WorkerStatus; 7] = [
    WorkerStatus::Running,
    WorkerStatus::Idle,
    WorkerStatus::Suspended,
    WorkerStatus::Interrupted,
    WorkerStatus::Retrying,
    WorkerStatus::Failed,
    WorkerStatus::Exited,
];

fn status(word: &str) -> Option<WorkerStatus> {
    STATUSES
        .into_iter()
        .find(|status| status.to_string().eq_ignore_ascii_case(word))
}

fn rank(status: WorkerStatus) -> usize {
    STATUSES
        .iter()
        .position(|other| *other == status)
        .unwrap_or_default()
}

impl TextOp {
    fn holds(self, text: &str, value: &str) -> bool {
        match self {
            Self::Equal => text == value,
            Self::NotEqual => text != value,
            Self::Like => text.contains(value),
            Self::NotLike => !text.contains(value),
        }
    }
}

impl Op {
    const fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::GreaterEqual => order.is_ge(),
            Self::Greater => order.is_gt(),
            Self::LessEqual => order.is_le(),
            Self::Less => order.is_lt(),
        }
    }
}

impl Filter {
    /// Whether the condition holds for `worker`.
    #[must_use]
    pub fn holds(&self, worker: &WorkerMetadata) -> bool {
        match self {
            Self::Name { comparator, value } => {
                comparator.holds(&worker.worker_id.worker_name, value)
            }
            Self::Env {
                name,
                comparator,
                value,
            } => worker
                .env
                .get(name)
                .is_some_and(|text| comparator.holds(text, value)),
            Self::Version { comparator, value } => {
                comparator.holds(worker.component_version.cmp(value))
            }
            Self::Status { comparator, value } => {
                comparator.holds(rank(worker.status).cmp(&rank(*value)))
            }
            Self::CreatedAt { comparator, value } => comparator.holds(worker.created_at.cmp(value)),
            Self::And { filters } => filters.iter().all(|filter| filter.holds(worker)),
            Self::Or { filters } => {
                filters.is_empty() || filters.iter().any(|filter| filter.holds(worker))
            }
            Self::Not { filter } => !filter.holds(worker),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker() -> WorkerMetadata {
        serde_json::from_value(serde_json::json!({
            "workerId": {"componentId": "0d8e3a5c-1b2f-4c3d-8e9f-a0b1c2d3e4f5", "workerName": "cart-7"},
            "env": {"COLOUR": "red"}, "status": "Failed", "componentVersion": 3, "createdAt": "2024-12-09T12:00:00Z",
        }))
        .unwrap()
    }

    #[test]
    fn conditions_are_read_and_hold() {
        for (filter, expect) in [
            ("name = cart-7", true),
            ("name != cart-7", false),
            ("name like cart", true),
            ("name notlike cart", false),
            ("version >= 3", true),
            ("version GT 3", false),
            ("status == failed", true),
            ("status ne Idle", true),
            ("created_at < 2025-01-01T00:00:00Z", true),
            ("createdAt less 2024-01-01T00:00:00Z", false),
            ("env.COLOUR eq red", true),
            ("env.SIZE ne 3", false),
            ("  name   =   cart-7  ", true),
        ] {
            assert_eq!(
                filter.parse::<Filter>().unwrap().holds(&worker()),
                expect,
                "{filter}"
            );
        }
    }

    #[test]
    fn conditions_are_joined_in_json() {
        let check = |filter: serde_json::Value| {
            let read: Filter = serde_json::from_value(filter.clone()).unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), filter);
            read.holds(&worker())
        };
        let name = |comparator: &str, value: &str| serde_json::json!({"type": "Name", "comparator": comparator, "value": value});
        let (yes, no) = (name("Like", "cart"), name("Equal", "cart"));
        assert!(check(yes.clone()));
        assert!(!check(no.clone()));
        assert!(!check(
            serde_json::json!({"type": "And", "filters": [yes, no]})
        ));
        assert!(check(
            serde_json::json!({"type": "Or", "filters": [yes, no]})
        ));
        assert!(check(serde_json::json!({"type": "Or", "filters": []})));
        assert!(check(serde_json::json!({"type": "And", "filters": []})));
        assert!(check(serde_json::json!({"type": "Not", "filter": no})));
        let version =
            serde_json::json!({"type": "Version", "comparator": "GreaterEqual", "value": 3});
        assert!(check(version));
        let env = serde_json::json!({"type": "Env", "name": "COLOUR", "comparator": "NotEqual", "value": "red"});
        assert!(!check(env));
    }

    #[test]
    fn what_is_no_condition_has_a_code() {
        for (filter, code) in [
            ("", "VAL-040"),
            ("name=x", "VAL-040"),
            ("name = a b", "VAL-040"),
            ("size = 3", "VAL-041"),
            ("env. = 3", "VAL-041"),
            ("name > a", "VAL-042"),
            ("version like 3", "VAL-042"),
            ("version = x", "VAL-043"),
            ("status = Happy", "VAL-043"),
            ("created_at > yesterday", "VAL-043"),
        ] {
            let error = filter.parse::<Filter>().unwrap_err();
            assert_eq!(error.code(), code, "{filter}");
            assert!(error.hint().is_some());
        }
    }
}
