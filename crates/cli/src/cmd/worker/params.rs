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
use crate::exit;

/// The parameters on the command line.
#[derive(Debug, Clone, clap::Args)]
#[group(multiple = false)]
pub(crate) struct ParamArgs {
    /// All parameters as a JSON array
    #[arg(short = 'j', long, value_name = "JSON")]
    parameters: Option<String>,
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
    /// No JSON at all.
    #[error("the parameters `{text}` are not JSON")]
    NoJson {
        /// The text.
        text: String,
        /// Why.
        source: serde_json::Error,
    },
}

impl Coded for ParamError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoArray => "CLI-024",
            Self::NoJson { .. } => "CLI-025",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoArray | Self::NoJson { .. } => {
                "pass a JSON array in quotes: --parameters '[3, \"text\"]'; for WAVE use --arg"
                    .to_owned()
            }
        })
    }
}

impl ParamArgs {
    /// Parameters as WAVE, or all of them as JSON.
    pub(crate) const fn new(arg: Vec<String>, parameters: Option<String>) -> Self {
        Self { parameters, arg }
    }

    /// The JSON array of `--parameters`, if that is there. Errors: `NoJson` (exit code `USAGE`), `NoArray`.
    pub(crate) fn json(&self) -> Result<Option<Vec<Json>>, Failure> {
        let Some(text) = &self.parameters else {
            return Ok(None);
        };
        let no_json = |source| ParamError::NoJson {
            text: text.clone(),
            source,
        };
        match serde_json::from_str(text)
            .map_err(no_json)
            .map_err(Failure::exit_with(exit::USAGE))?
        {
            Json::Array(items) => Ok(Some(items)),
            _ => Err(ParamError::NoArray.into()),
        }
    }

    /// The parameters, checked against the signature: `json` of [`Self::json`], else the WAVE of `--arg`.
    ///
    /// Errors: those of JSON and WAVE.
    pub(crate) fn checked(
        &self,
        json: Option<&[Json]>,
        function: &Function,
    ) -> Result<InvokeParameters, Failure> {
        let parsed = match json {
            Some(items) => params_from_json(&items.iter().collect::<Vec<_>>(), function)?,
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
                let pairs = self.arg.iter().zip(&function.parameters).enumerate();
                pairs
                    .map(|(at, (text, parameter))| {
                        from_wave(text, &parameter.typ).map_err(|error| {
                            hinted(
                                error.into(),
                                &format!("parameter {} is `{}`", at + 1, parameter.name),
                            )
                        })
                    })
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

/// The failure with a word in front of its hint.
pub(crate) fn hinted(mut failure: Failure, word: &str) -> Failure {
    failure.problem.hint = Some(match failure.problem.hint {
        Some(hint) => format!("{word}: {hint}"),
        None => word.to_owned(),
    });
    failure
}

/// The parameters, when each of them says its own type: they are sent as they are.
pub(crate) fn typed(items: &[Json]) -> Option<InvokeParameters> {
    let typed = |item: &Json| {
        item.as_object().filter(|fields| fields.len() == 2)?;
        serde_json::from_value::<TypeAnnotatedValue>(item.clone()).ok()?;
        serde_json::from_value::<Param>(item.clone()).ok()
    };
    let params = items.iter().map(typed).collect::<Option<Vec<_>>>()?;
    Some(InvokeParameters { params }).filter(|body| !body.params.is_empty())
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

    fn json_args(json: &Json) -> ParamArgs {
        ParamArgs {
            parameters: Some(json.to_string()),
            arg: vec![],
        }
    }

    fn body(args: &ParamArgs, types: &[WitType]) -> Result<InvokeParameters, Failure> {
        args.checked(args.json()?.as_deref(), &function(types))
    }

    #[track_caller]
    fn check(args: &ParamArgs, types: &[WitType], expect: &[Json]) {
        let params = body(args, types).unwrap().params;
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
            &json_args(&json!([3, 5])),
            &[WitType::U64, option],
            &[json!(3), json!(5)],
        );
        check(&wave(&["'g'"]), &[WitType::Chr], &[json!(103)]);
        check(&wave(&[]), &[], &[]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let problem = |args: &ParamArgs, types: &[WitType]| body(args, types).unwrap_err().problem;
        assert_eq!(problem(&json_args(&json!({})), &[]).code, "CLI-024");
        let broken = ParamArgs {
            parameters: Some("[1".into()),
            arg: vec![],
        };
        let failure = body(&broken, &[]).unwrap_err();
        assert_eq!(
            (failure.problem.code.as_str(), failure.exit),
            ("CLI-025", exit::USAGE)
        );
        let count = problem(&wave(&[]), &[WitType::U8]);
        assert_eq!(
            count.message,
            "params: unexpected number of parameters: got 0, expected 1"
        );
        let range = problem(&json_args(&json!([-1])), &[WitType::U64]);
        assert_eq!(
            (range.code.as_str(), range.message.as_str()),
            ("VAL-002", "params[0]: cannot convert -1 to u64")
        );
        let wave = problem(&wave(&["1", "x"]), &[WitType::U64, WitType::U64]);
        assert_eq!(wave.code, "VAL-030");
        assert!(
            wave.hint
                .unwrap()
                .starts_with("parameter 2 is `p`: the type is u64")
        );
    }

    #[test]
    fn parameters_that_say_their_type_are_sent_as_they_are() {
        let items = json!([{"typ": {"type": "U64"}, "value": 3}]);
        let body = serde_json::to_value(typed(items.as_array().unwrap()).unwrap()).unwrap();
        assert_eq!(body, json!({ "params": items }));
        let one = json!({"typ": {"type": "U64"}, "value": 3});
        for other in [
            json!([]),
            json!([3]),
            json!([{"typ": "x", "value": 3}]),
            json!([one, 4]),
        ] {
            assert_eq!(typed(other.as_array().unwrap()), None);
        }
    }
}
