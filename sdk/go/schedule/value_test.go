// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"reflect"
	"testing"

	"github.com/golem-workers/golem-go/internal/platform/rpctypes"
	"github.com/golem-workers/golem-go/wit"
)

func TestValuesAreWrittenAsNodes(t *testing.T) {
	type lot struct {
		Name  string
		Price *uint16
	}
	price := uint16(3)
	one := int32(1)
	for _, c := range []struct {
		value any
		nodes []rpctypes.WitNode
	}{
		{int8(-1), []rpctypes.WitNode{rpctypes.WitNodePrimS8{Value: -1}}},
		{[]string{"a", "b"}, []rpctypes.WitNode{
			rpctypes.WitNodeListValue{Value: []int32{1, 2}},
			rpctypes.WitNodePrimString{Value: "a"},
			rpctypes.WitNodePrimString{Value: "b"},
		}},
		{lot{"n", &price}, []rpctypes.WitNode{
			rpctypes.WitNodeRecordValue{Value: []int32{1, 2}},
			rpctypes.WitNodePrimString{Value: "n"},
			rpctypes.WitNodeOptionValue{Value: ref(3)},
			rpctypes.WitNodePrimU16{Value: 3},
		}},
		{wit.Tuple2[bool, Char]{F0: true, F1: 'c'}, []rpctypes.WitNode{
			rpctypes.WitNodeTupleValue{Value: []int32{1, 2}},
			rpctypes.WitNodePrimBool{Value: true},
			rpctypes.WitNodePrimChar{Value: 'c'},
		}},
		{Variant{2, "x"}, []rpctypes.WitNode{
			rpctypes.WitNodeVariantValue{Value: wit.Tuple2[uint32, *int32]{F0: 2, F1: &one}},
			rpctypes.WitNodePrimString{Value: "x"},
		}},
		{Err{"x"}, []rpctypes.WitNode{
			rpctypes.WitNodeResultValue{Value: wit.Err[*int32, *int32](&one)},
			rpctypes.WitNodePrimString{Value: "x"},
		}},
	} {
		got, err := encode(c.value)
		if err != nil || !reflect.DeepEqual(got.Nodes, c.nodes) {
			t.Errorf("%#v: %#v %v", c.value, got.Nodes, err)
		}
	}
}

func ref(i int32) *int32 { return &i }
