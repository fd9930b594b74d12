// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/golem-workers/golem-go/internal/platform/rpctypes"
	"github.com/golem-workers/golem-go/wit"
)

// Char is a char of WIT; a rune is an s32.
type Char rune

// Enum is a case of an enum, by its number from 0.
type Enum uint32

// Flags are flags, in order.
type Flags []bool

// Variant is a case of a variant, by its number from 0, with its payload or nil.
type Variant struct {
	Case    uint32
	Payload any
}

// Ok is the good case of a result, with its payload or nil.
type Ok struct {
	Payload any
}

// Err is the bad case of a result, with its payload or nil.
type Err struct {
	Payload any
}

// depthMax bounds how deep a value may be: one that contains itself has no end.
const depthMax = 100

type encoder struct {
	nodes []rpctypes.WitNode
}

func encode(value any) (rpctypes.WitValue, error) {
	var e encoder
	if _, err := e.add(reflect.ValueOf(value), 0); err != nil {
		return rpctypes.WitValue{}, err
	}
	return rpctypes.WitValue{Nodes: e.nodes}, nil
}

// add appends the nodes of a value, itself first, and returns its number.
func (e *encoder) add(v reflect.Value, depth int) (int32, error) {
	if depth > depthMax {
		return 0, fmt.Errorf("a value more than %d levels deep", depthMax)
	}
	at := len(e.nodes)
	e.nodes = append(e.nodes, nil)
	node, err := e.node(v, depth+1)
	if err != nil {
		return 0, err
	}
	e.nodes[at] = node
	return int32(at), nil
}

func (e *encoder) node(v reflect.Value, depth int) (rpctypes.WitNode, error) {
	if !v.IsValid() {
		return nil, fmt.Errorf("nil has no type; use a nil pointer of the option's type")
	}
	switch value := v.Interface().(type) {
	case Char:
		return rpctypes.WitNodePrimChar{Value: rune(value)}, nil
	case Enum:
		return rpctypes.WitNodeEnumValue{Value: uint32(value)}, nil
	case Flags:
		return rpctypes.WitNodeFlagsValue{Value: value}, nil
	case Variant:
		payload, err := e.payload(value.Payload, depth)
		return rpctypes.WitNodeVariantValue{Value: wit.Tuple2[uint32, *int32]{F0: value.Case, F1: payload}}, err
	case Ok:
		payload, err := e.payload(value.Payload, depth)
		return rpctypes.WitNodeResultValue{Value: wit.Ok[*int32, *int32](payload)}, err
	case Err:
		payload, err := e.payload(value.Payload, depth)
		return rpctypes.WitNodeResultValue{Value: wit.Err[*int32, *int32](payload)}, err
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		items, err := e.items(v.Len(), v.Index, depth)
		return rpctypes.WitNodeListValue{Value: items}, err
	case reflect.Struct:
		return e.fields(v, depth)
	case reflect.Pointer:
		if v.IsNil() {
			return rpctypes.WitNodeOptionValue{}, nil
		}
		item, err := e.add(v.Elem(), depth)
		return rpctypes.WitNodeOptionValue{Value: &item}, err
	default:
		return scalar(v)
	}
}

func (e *encoder) payload(value any, depth int) (*int32, error) {
	if value == nil {
		return nil, nil
	}
	item, err := e.add(reflect.ValueOf(value), depth)
	return &item, err
}

func (e *encoder) items(n int, item func(int) reflect.Value, depth int) ([]int32, error) {
	numbers := make([]int32, 0, n)
	for i := range n {
		number, err := e.add(item(i), depth)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, number)
	}
	return numbers, nil
}

func (e *encoder) fields(v reflect.Value, depth int) (rpctypes.WitNode, error) {
	t := v.Type()
	for i := range t.NumField() {
		if !t.Field(i).IsExported() {
			return nil, fmt.Errorf("%s has the field %s, which is not exported", t, t.Field(i).Name)
		}
	}
	numbers, err := e.items(t.NumField(), v.Field, depth)
	if t.PkgPath() == reflect.TypeFor[wit.Tuple2[int, int]]().PkgPath() && strings.HasPrefix(t.Name(), "Tuple") {
		return rpctypes.WitNodeTupleValue{Value: numbers}, err
	}
	return rpctypes.WitNodeRecordValue{Value: numbers}, err
}

func scalar(v reflect.Value) (rpctypes.WitNode, error) {
	switch v.Kind() {
	case reflect.Bool:
		return rpctypes.WitNodePrimBool{Value: v.Bool()}, nil
	case reflect.Uint8:
		return rpctypes.WitNodePrimU8{Value: uint8(v.Uint())}, nil
	case reflect.Uint16:
		return rpctypes.WitNodePrimU16{Value: uint16(v.Uint())}, nil
	case reflect.Uint32:
		return rpctypes.WitNodePrimU32{Value: uint32(v.Uint())}, nil
	case reflect.Uint64, reflect.Uint:
		return rpctypes.WitNodePrimU64{Value: v.Uint()}, nil
	case reflect.Int8:
		return rpctypes.WitNodePrimS8{Value: int8(v.Int())}, nil
	case reflect.Int16:
		return rpctypes.WitNodePrimS16{Value: int16(v.Int())}, nil
	case reflect.Int32:
		return rpctypes.WitNodePrimS32{Value: int32(v.Int())}, nil
	case reflect.Int64, reflect.Int:
		return rpctypes.WitNodePrimS64{Value: v.Int()}, nil
	case reflect.Float32:
		return rpctypes.WitNodePrimFloat32{Value: float32(v.Float())}, nil
	case reflect.Float64:
		return rpctypes.WitNodePrimFloat64{Value: v.Float()}, nil
	case reflect.String:
		return rpctypes.WitNodePrimString{Value: v.String()}, nil
	default:
		return nil, fmt.Errorf("a value of the type %s cannot be an argument", v.Type())
	}
}
