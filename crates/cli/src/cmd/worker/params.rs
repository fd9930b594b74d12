// SPDX-License-Identifier: Apache-2.0
//! THE DESK / worker/params: the parameters of a call. In WAVE or JSON of the command line and a signature; out the body of
//! a request, or the path of what is wrong. Never sends. Read next: `invoke.rs`. Source: client spec §6.4 (1), (2).

use golem_model::Coded;
use golem_model::api::{InvokeParameters, Param};
use golem_model::json::{JsonError, JsonErrorKind, TypeAnnotatedValue, params_from_json, to_json};
use golem_model::types::Function;
use golem_model::wave::from_wave;
use serde_json::Value as Json;

use crate::error::Failure;

/// The parameters on the command line.
#[derive(Debug, Clone, clap::Args)]
#[group(multiple = false)]
pub(crate) struct ParamArgs {
    /// All parameters as a JSON array
    #[arg(short = 'j', long, value_name = "JSON")]
    parameters: Option<Json>,
    /// One parameter as WAVE; repeat for more
    #[arg(short = 'a', long, value_name = "WAVE", allow_negative_numbers = true)]
    arg: Vec<String>,
}

/// Errors of parameters before their types are looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ParamError {
    /// JSON, but no array.
    #[error("Parameters must be an array")]
    NoArray,
}

impl Coded for ParamError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoArray => "CLI-024",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoArray => {
                Some("put the parameters in brackets: --parameters '[3, \"text\"]'".to_owned())
            }
        }
    }
}

impl ParamArgs {
    /// The parameters, when each of them says its own type: they are sent as they are.
    pub(crate) fn typed(&self) -> Option<InvokeParameters> {
        let items = self
            .parameters
            .as_ref()?
            .as_array()
            .filter(|items| !items.is_empty())?;
        let typed = |item: &Json| {
            item.as_object().filter(|fields| fields.len() == 2)?;
            serde_json::from_value::<TypeAnnotatedValue>(item.clone()).ok()?;
            serde_json::from_value::<Param>(item.clone()).ok()
        };
        items
            .iter()
            .map(typed)
            .collect::<Option<_>>()
            .map(|params| InvokeParameters { params })
    }

    /// The parameters, checked against the signature. None on the command line means none.
    ///
    /// Errors: `NoArray`, and those of JSON and WAVE.
    pub(crate) fn checked(&self, function: &Function) -> Result<InvokeParameters, Failure> {
        let parsed = match &self.parameters {
            Some(json) => {
                let items: Vec<&Json> =
                    json.as_array().ok_or(ParamError::NoArray)?.iter().collect();
                params_from_json(&items, function)?
            }
            None => {
                let (got, expected) = (self.arg.len(), function.parameters.len());
                if got != expected {
                    let kind = JsonErrorKind::Length {
                        got,
                        expected,
                        parameters: true,
                    };
                    return Err(JsonError {
                        path: "params".to_owned(),
                        kind,
                    }
                    .into());
                }
                let pairs = self.arg.iter().zip(&function.parameters);
                pairs
                    .map(|(text, parameter)| from_wave(text, &parameter.typ))
                    .collect::<Result<_, _>>()?
            }
        };
        let params = parsed
            .iter()
            .zip(&function.parameters)
            .map(|(value, parameter)| {
                let typ = serde_json::to_value(&parameter.typ).ok();
                Ok(Param {
                    typ,
                    value: to_json(value, &parameter.typ)?,
                })
            });
        Ok(InvokeParameters {
            params: params.collect::<Result<_, JsonError>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use golem_model::WitType;
    use golem_model::types::NamedType;
    use serde_json::json;

    fn function(types: &[WitType]) -> Function {
        let parameter = |typ: &WitType| NamedType {
            name: "p".into(),
            typ: typ.clone(),
        };
        Function {
            name: "f".into(),
            parameters: types.iter().map(parameter).collect(),
            results: vec![],
        }
    }

    fn wave(args: &[&str]) -> ParamArgs {
        ParamArgs {
            parameters: None,
            arg: args.iter().map(|arg| (*arg).to_owned()).collect(),
        }
    }

    fn json_args(json: Json) -> ParamArgs {
        ParamArgs {
            parameters: Some(json),
            arg: vec![],
        }
    }

    #[track_caller]
    fn check(args: &ParamArgs, types: &[WitType], expect: &[Json]) {
        let params = args.checked(&function(types)).unwrap().params;
        assert_eq!(
            params
                .into_iter()
                .map(|param| param.value)
                .collect::<Vec<_>>(),
            expect
        );
    }

    #[test]
    fn wave_and_json_become_the_same_body() {
        let option = WitType::Option {
            inner: Box::new(WitType::U64),
        };
        check(
            &wave(&["3", "some(5)"]),
            &[WitType::U64, option.clone()],
            &[json!(3), json!(5)],
        );
        check(
            &json_args(json!([3, 5])),
            &[WitType::U64, option],
            &[json!(3), json!(5)],
        );
        check(&wave(&["'g'"]), &[WitType::Chr], &[json!(103)]);
        check(&wave(&[]), &[], &[]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let code = |args: &ParamArgs, types: &[WitType]| {
            args.checked(&function(types)).unwrap_err().problem
        };
        assert_eq!(code(&json_args(json!({})), &[]).code, "CLI-024");
        let problem = code(&wave(&[]), &[WitType::U8]);
        assert_eq!(
            problem.message,
            "params: unexpected number of parameters: got 0, expected 1"
        );
        let problem = code(&json_args(json!([-1])), &[WitType::U64]);
        assert_eq!(
            (problem.code.as_str(), problem.message.as_str()),
            ("VAL-002", "params[0]: cannot convert -1 to u64")
        );
        assert_eq!(code(&wave(&["x"]), &[WitType::U64]).code, "VAL-030");
    }

    #[test]
    fn parameters_that_say_their_type_are_sent_as_they_are() {
        let typed = json!([{"typ": {"type": "U64"}, "value": 3}]);
        let body = serde_json::to_value(json_args(typed.clone()).typed().unwrap()).unwrap();
        assert_eq!(body, json!({ "params": typed }));
        for other in [
            json!([]),
            json!([3]),
            json!([{"typ": "x", "value": 3}]),
            json!([{"typ": {"type": "U64"}, "value": 3}, 4]),
        ] {
            assert_eq!(json_args(other).typed(), None);
        }
        assert_eq!(wave(&["3"]).typed(), None);
    }
}
