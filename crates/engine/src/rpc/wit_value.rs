// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / wit_value: values as `golem:rpc` carries them (a flat list of nodes) against values of the model.
//! Decoding is directed by the type of the target, since nodes name no fields. Bound: `MAX_DEPTH`.
//! Read next: `golem_rpc.rs`. Source: client spec §4.3.

use golem_model::value::MAX_DEPTH;
use golem_model::{Value, WitType};

use super::golem_rpc::bindings::golem::rpc::types::{Uri, WitNode, WitValue};

/// Nodes that are no value of the wanted type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadNodes(String);

fn bad(typ: &WitType, node: &WitNode) -> BadNodes {
    BadNodes(format!("expected {typ:?}, found {node:?}"))
}

/// The value of `wit` as `typ`.
pub(crate) fn decode(wit: &WitValue, typ: &WitType) -> Result<Value, BadNodes> {
    decode_node(&wit.nodes, 0, typ, MAX_DEPTH)
}

fn decode_node(
    nodes: &[WitNode],
    index: i32,
    typ: &WitType,
    depth: usize,
) -> Result<Value, BadNodes> {
    let depth = depth
        .checked_sub(1)
        .ok_or_else(|| BadNodes(format!("value is nested deeper than {MAX_DEPTH}")))?;
    let missing = || BadNodes(format!("node {index} does not exist"));
    let node = usize::try_from(index)
        .ok()
        .and_then(|index| nodes.get(index))
        .ok_or_else(missing)?;
    let child = |index: i32, typ: &WitType| decode_node(nodes, index, typ, depth);
    let payload = |index: Option<i32>, typ: Option<&WitType>| match (index, typ) {
        (Some(index), Some(typ)) => Ok(Some(Box::new(child(index, typ)?))),
        (None, None) => Ok(None),
        _ => Err(BadNodes("a payload is missing or not expected".into())),
    };
    Ok(match (node, typ) {
        (WitNode::PrimBool(v), WitType::Bool) => Value::Bool(*v),
        (WitNode::PrimU8(v), WitType::U8) => Value::U8(*v),
        (WitNode::PrimU16(v), WitType::U16) => Value::U16(*v),
        (WitNode::PrimU32(v), WitType::U32) => Value::U32(*v),
        (WitNode::PrimU64(v), WitType::U64) => Value::U64(*v),
        (WitNode::PrimS8(v), WitType::S8) => Value::S8(*v),
        (WitNode::PrimS16(v), WitType::S16) => Value::S16(*v),
        (WitNode::PrimS32(v), WitType::S32) => Value::S32(*v),
        (WitNode::PrimS64(v), WitType::S64) => Value::S64(*v),
        (WitNode::PrimFloat32(v), WitType::F32) => Value::F32(*v),
        (WitNode::PrimFloat64(v), WitType::F64) => Value::F64(*v),
        (WitNode::PrimChar(v), WitType::Chr) => Value::Char(*v),
        (WitNode::PrimString(v), WitType::Str) => Value::String(v.clone()),
        (WitNode::ListValue(items), WitType::List { inner }) if **inner == WitType::U8 => {
            let bytes = items.iter().map(|index| match child(*index, inner)? {
                Value::U8(byte) => Ok(byte),
                _ => Err(bad(typ, node)),
            });
            Value::Bytes(bytes.collect::<Result<_, _>>()?)
        }
        (WitNode::ListValue(items), WitType::List { inner }) => Value::List(
            items
                .iter()
                .map(|index| child(*index, inner))
                .collect::<Result<_, _>>()?,
        ),
        (WitNode::TupleValue(indexes), WitType::Tuple { items })
            if indexes.len() == items.len() =>
        {
            Value::Tuple(
                indexes
                    .iter()
                    .zip(items)
                    .map(|(index, typ)| child(*index, typ))
                    .collect::<Result<_, _>>()?,
            )
        }
        (WitNode::RecordValue(indexes), WitType::Record { fields })
            if indexes.len() == fields.len() =>
        {
            Value::Record(
                indexes
                    .iter()
                    .zip(fields)
                    .map(|(index, f)| child(*index, &f.typ))
                    .collect::<Result<_, _>>()?,
            )
        }
        (WitNode::VariantValue((case, index)), WitType::Variant { cases }) => {
            let found = cases.get(*case as usize).ok_or_else(|| bad(typ, node))?;
            Value::Variant(*case, payload(*index, found.typ.as_ref())?)
        }
        (WitNode::EnumValue(case), WitType::Enum { cases }) if (*case as usize) < cases.len() => {
            Value::Enum(*case)
        }
        (WitNode::FlagsValue(set), WitType::Flags { names }) if set.len() == names.len() => {
            Value::Flags(set.clone())
        }
        (WitNode::OptionValue(index), WitType::Option { inner }) => Value::Option(match index {
            Some(index) => Some(Box::new(child(*index, inner)?)),
            None => None,
        }),
        (WitNode::ResultValue(Ok(index)), WitType::Result { ok, .. }) => {
            Value::Result(Ok(payload(*index, ok.as_deref())?))
        }
        (WitNode::ResultValue(Err(index)), WitType::Result { err, .. }) => {
            Value::Result(Err(payload(*index, err.as_deref())?))
        }
        (WitNode::Handle((uri, id)), WitType::Handle { .. }) => Value::Handle {
            uri: uri.value.clone(),
            id: *id,
        },
        _ => return Err(bad(typ, node)),
    })
}

/// The nodes of a value: parents before their children, left to right.
pub(crate) fn encode(value: &Value) -> WitValue {
    let mut nodes = Vec::new();
    encode_node(value, &mut nodes);
    WitValue { nodes }
}

/// Appends the nodes of `value` and returns the index of its own.
fn encode_node(value: &Value, nodes: &mut Vec<WitNode>) -> i32 {
    let at = nodes.len();
    // Children refer to their index, so the parent's place is taken first and filled after them.
    nodes.push(WitNode::PrimBool(false));
    let node = match value {
        Value::Bool(v) => WitNode::PrimBool(*v),
        Value::U8(v) => WitNode::PrimU8(*v),
        Value::S8(v) => WitNode::PrimS8(*v),
        Value::U16(v) => WitNode::PrimU16(*v),
        Value::S16(v) => WitNode::PrimS16(*v),
        Value::U32(v) => WitNode::PrimU32(*v),
        Value::S32(v) => WitNode::PrimS32(*v),
        Value::U64(v) => WitNode::PrimU64(*v),
        Value::S64(v) => WitNode::PrimS64(*v),
        Value::F32(v) => WitNode::PrimFloat32(*v),
        Value::F64(v) => WitNode::PrimFloat64(*v),
        Value::Char(v) => WitNode::PrimChar(*v),
        Value::String(v) => WitNode::PrimString(v.clone()),
        Value::Bytes(v) => WitNode::ListValue(
            v.iter()
                .map(|byte| encode_node(&Value::U8(*byte), nodes))
                .collect(),
        ),
        Value::List(v) => WitNode::ListValue(v.iter().map(|v| encode_node(v, nodes)).collect()),
        Value::Tuple(v) => WitNode::TupleValue(v.iter().map(|v| encode_node(v, nodes)).collect()),
        Value::Record(v) => WitNode::RecordValue(v.iter().map(|v| encode_node(v, nodes)).collect()),
        Value::Option(v) => WitNode::OptionValue(v.as_deref().map(|v| encode_node(v, nodes))),
        Value::Variant(case, v) => {
            WitNode::VariantValue((*case, v.as_deref().map(|v| encode_node(v, nodes))))
        }
        Value::Enum(case) => WitNode::EnumValue(*case),
        Value::Flags(set) => WitNode::FlagsValue(set.clone()),
        Value::Result(Ok(v)) => {
            WitNode::ResultValue(Ok(v.as_deref().map(|v| encode_node(v, nodes))))
        }
        Value::Result(Err(v)) => {
            WitNode::ResultValue(Err(v.as_deref().map(|v| encode_node(v, nodes))))
        }
        Value::Handle { uri, id } => WitNode::Handle((Uri { value: uri.clone() }, *id)),
    };
    if let Some(slot) = nodes.get_mut(at) {
        *slot = node;
    }
    i32::try_from(at).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use golem_model::types::NamedType;

    #[test]
    fn nodes_round_trip_and_other_types_are_refused() {
        let typ = WitType::Record {
            fields: vec![
                NamedType {
                    name: "n".into(),
                    typ: WitType::U64,
                },
                NamedType {
                    name: "l".into(),
                    typ: WitType::List {
                        inner: Box::new(WitType::Str),
                    },
                },
            ],
        };
        let value = Value::Record(vec![
            Value::U64(3),
            Value::List(vec![Value::String("a".into()), Value::String("b".into())]),
        ]);
        let nodes = encode(&value);
        assert_eq!(decode(&nodes, &typ).unwrap(), value);
        assert!(decode(&nodes, &WitType::U64).is_err());
        assert!(decode(&WitValue { nodes: vec![] }, &WitType::U64).is_err());
        assert!(
            decode(
                &WitValue {
                    nodes: vec![WitNode::OptionValue(Some(0))]
                },
                &nested(200)
            )
            .is_err()
        );
    }

    fn nested(levels: usize) -> WitType {
        (0..levels).fold(WitType::U8, |inner, _| WitType::Option {
            inner: Box::new(inner),
        })
    }
}
