// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/params: the body of an invocation. In: JSON text. Out: one JSON value per parameter.
//! Never looks at `typ`. Read next: golem-model `json.rs` (values by type). Source: client spec §6.5, §8.2 (2).
//!
//! A parameter is `{"typ": …, "value": V}`, or `{"value": V}`, or V itself. An object is V itself when it has neither a
//! key `typ` nor `value` as its only key: a record with just these fields has to be wrapped.

use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value as Json};

/// `{"params": […]}`; further keys are skipped.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct InvokeBody {
    params: Vec<Param>,
}

impl InvokeBody {
    /// The values in order.
    pub(crate) fn values(&self) -> Vec<&Json> {
        self.params.iter().map(|param| &param.0).collect()
    }
}

/// One parameter without its wrapping.
#[derive(Debug)]
struct Param(Json);

impl<'de> Deserialize<'de> for Param {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ParamVisitor).map(Self)
    }
}

struct ParamVisitor;

impl<'de> Visitor<'de> for ParamVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, alone or as {\"value\": …}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let (mut typed, mut value, mut others) = (false, None, Map::new());
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "typ" => {
                    // Skipped without building it: it may be larger than the value.
                    let _: IgnoredAny = map.next_value()?;
                    typed = true;
                }
                "value" => value = Some(map.next_value()?),
                _ => {
                    let other = map.next_value()?;
                    others.insert(key, other);
                }
            }
        }
        if typed || others.is_empty() {
            return value.ok_or_else(|| A::Error::missing_field("value"));
        }
        if let Some(value) = value {
            others.insert("value".to_owned(), value);
        }
        Ok(Json::Object(others))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Json, A::Error> {
        Json::deserialize(SeqAccessDeserializer::new(seq))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(params: &str, expect: &[Json]) {
        let text = format!(r#"{{"later": 1, "params": {params}}}"#);
        let body: InvokeBody = serde_json::from_str(&text).unwrap();
        assert_eq!(body.values(), expect.iter().collect::<Vec<_>>(), "{params}");
    }

    #[test]
    fn a_value_is_read_with_a_type_with_a_wrong_one_and_without() {
        check(r#"[{"typ":{"type":"U64"},"value":3}]"#, &[json!(3)]);
        check(
            r#"[{"value":null,"typ":{"type":"Option","inner":{"type":"Option"}}}]"#,
            &[json!(null)],
        );
        check(
            r#"[{"value":{"value":1}}, {"typ":null,"value":{"typ":2}}]"#,
            &[json!({"value":1}), json!({"typ":2})],
        );
        check("[]", &[]);
    }

    #[test]
    fn a_bare_value_is_read() {
        check(
            r#"[3, -3, 1.5, "x", true, null, [{"value": 1}], {"name": "n", "value": 2}]"#,
            &[
                json!(3),
                json!(-3),
                json!(1.5),
                json!("x"),
                json!(true),
                json!(null),
                json!([{"value": 1}]),
                json!({"name": "n", "value": 2}),
            ],
        );
        check("[18446744073709551615]", &[json!(u64::MAX)]);
    }

    #[test]
    fn a_type_without_a_value_is_refused() {
        for params in [r#"[{"typ":{"type":"U64"}}]"#, "[{}]", "3"] {
            let read = serde_json::from_str::<InvokeBody>(&format!(r#"{{"params": {params}}}"#));
            assert!(read.is_err(), "{params}");
        }
        assert!(serde_json::from_str::<InvokeBody>("{}").is_err());
    }
}
