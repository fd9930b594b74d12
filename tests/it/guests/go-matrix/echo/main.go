// SPDX-License-Identifier: Apache-2.0

// Command echo is the far side of the type matrix: it answers every call with what it got.
package main

import (
	"fmt"
	"strings"

	b "gomatrix/echo/echo"
)

type impl struct{}

func init() {
	b.SetExportsItMatrix1_2_0_Echo(&impl{})
}

func main() {}

func (*impl) EchoBool(v bool) bool {
	return v
}

func (*impl) EchoU8(v uint8) uint8 {
	return v
}

func (*impl) EchoS8(v int8) int8 {
	return v
}

func (*impl) EchoU16(v uint16) uint16 {
	return v
}

func (*impl) EchoS16(v int16) int16 {
	return v
}

func (*impl) EchoU32(v uint32) uint32 {
	return v
}

func (*impl) EchoS32(v int32) int32 {
	return v
}

func (*impl) EchoU64(v uint64) uint64 {
	return v
}

func (*impl) EchoS64(v int64) int64 {
	return v
}

func (*impl) EchoF32(v float32) float32 {
	return v
}

func (*impl) EchoF64(v float64) float64 {
	return v
}

func (*impl) EchoChar(v rune) rune {
	return v
}

func (*impl) EchoString(v string) string {
	return v
}

func (*impl) EchoDuration(v b.ExportsItMatrix1_2_0_EchoDuration) b.ExportsItMatrix1_2_0_EchoDuration {
	return v
}

func (*impl) EchoPoint(v b.ExportsItMatrix1_2_0_EchoPoint) b.ExportsItMatrix1_2_0_EchoPoint {
	return v
}

func (*impl) EchoMixed(v b.ExportsItMatrix1_2_0_EchoMixed) b.ExportsItMatrix1_2_0_EchoMixed {
	return v
}

func (*impl) EchoAlias(v b.ExportsItMatrix1_2_0_EchoAm) b.ExportsItMatrix1_2_0_EchoAm {
	return v
}

func (*impl) EchoWide(v b.ExportsItMatrix1_2_0_EchoWide) b.ExportsItMatrix1_2_0_EchoWide {
	return v
}

func (*impl) EchoColor(v b.ExportsItMatrix1_2_0_EchoColor) b.ExportsItMatrix1_2_0_EchoColor {
	return v
}

func (*impl) EchoMany(v b.ExportsItMatrix1_2_0_EchoMany) b.ExportsItMatrix1_2_0_EchoMany {
	return v
}

func (*impl) EchoFew(v b.ExportsItMatrix1_2_0_EchoFew) b.ExportsItMatrix1_2_0_EchoFew {
	return v
}

func (*impl) EchoDozen(v b.ExportsItMatrix1_2_0_EchoDozen) b.ExportsItMatrix1_2_0_EchoDozen {
	return v
}

func (*impl) EchoAllBits(v b.ExportsItMatrix1_2_0_EchoAllBits) b.ExportsItMatrix1_2_0_EchoAllBits {
	return v
}

func (*impl) EchoJoined(v b.ExportsItMatrix1_2_0_EchoJoined) b.ExportsItMatrix1_2_0_EchoJoined {
	return v
}

func (*impl) EchoNarrow(v b.ExportsItMatrix1_2_0_EchoNarrow) b.ExportsItMatrix1_2_0_EchoNarrow {
	return v
}

func (*impl) EchoPlain(v b.ExportsItMatrix1_2_0_EchoPlain) b.ExportsItMatrix1_2_0_EchoPlain {
	return v
}

func (*impl) EchoOption(v b.Option[uint32]) b.Option[uint32] {
	return v
}

func (*impl) EchoOptionOption(v b.Option[b.Option[string]]) b.Option[b.Option[string]] {
	return v
}

func (*impl) EchoResult(v b.Result[uint64, string]) b.Result[uint64, string] {
	return v
}

func (*impl) EchoResultOk(v b.Result[b.ExportsItMatrix1_2_0_EchoMixed, struct{}]) b.Result[b.ExportsItMatrix1_2_0_EchoMixed, struct{}] {
	return v
}

func (*impl) EchoResultErr(v b.Result[struct{}, b.ExportsItMatrix1_2_0_EchoColor]) b.Result[struct{}, b.ExportsItMatrix1_2_0_EchoColor] {
	return v
}

func (*impl) EchoResultNone(v b.Result[struct{}, struct{}]) b.Result[struct{}, struct{}] {
	return v
}

func (*impl) EchoResultDeep(v b.Result[b.Option[[]string], b.ExportsItMatrix1_2_0_EchoTuple2U8F64T]) b.Result[b.Option[[]string], b.ExportsItMatrix1_2_0_EchoTuple2U8F64T] {
	return v
}

func (*impl) EchoTuple(v b.ExportsItMatrix1_2_0_EchoTuple4U8StringF32ByteT) b.ExportsItMatrix1_2_0_EchoTuple4U8StringF32ByteT {
	return v
}

func (*impl) EchoTupleOne(v b.ExportsItMatrix1_2_0_EchoTuple1S64T) b.ExportsItMatrix1_2_0_EchoTuple1S64T {
	return v
}

func (*impl) EchoBools(v []bool) []bool {
	return v
}

func (*impl) EchoBytes(v []uint8) []uint8 {
	return v
}

func (*impl) EchoS64s(v []int64) []int64 {
	return v
}

func (*impl) EchoF32s(v []float32) []float32 {
	return v
}

func (*impl) EchoChars(v []rune) []rune {
	return v
}

func (*impl) EchoStrings(v []string) []string {
	return v
}

func (*impl) EchoPoints(v []b.ExportsItMatrix1_2_0_EchoPoint) []b.ExportsItMatrix1_2_0_EchoPoint {
	return v
}

func (*impl) EchoListList(v [][]uint16) [][]uint16 {
	return v
}

func (*impl) EchoMixeds(v []b.ExportsItMatrix1_2_0_EchoMixed) []b.ExportsItMatrix1_2_0_EchoMixed {
	return v
}

func (*impl) EchoJoineds(v []b.ExportsItMatrix1_2_0_EchoJoined) []b.ExportsItMatrix1_2_0_EchoJoined {
	return v
}

func (*impl) EchoFlagsList(v []b.ExportsItMatrix1_2_0_EchoTuple3FewDozenAllBitsT) []b.ExportsItMatrix1_2_0_EchoTuple3FewDozenAllBitsT {
	return v
}

func (*impl) EchoManys(v []b.ExportsItMatrix1_2_0_EchoMany) []b.ExportsItMatrix1_2_0_EchoMany {
	return v
}

func (*impl) Spilled(a uint8, s string, c uint64, d []uint16, e float32, f bool, g b.ExportsItMatrix1_2_0_EchoMixed, h b.Option[string], i rune) b.ExportsItMatrix1_2_0_EchoWideTuple {
	return b.ExportsItMatrix1_2_0_EchoWideTuple{F0: a, F1: s, F2: c, F3: d, F4: e, F5: f, F6: g, F7: h, F8: i}
}

func (*impl) Keywords(_type string, _func uint32, _ret uint8, _range bool, _select rune, _go int64) string {
	return fmt.Sprint(_type, " ", _func, " ", _ret, " ", _range, " ", string(_select), " ", _go)
}

func (*impl) Nothing() {}

func (*impl) Blob(n uint32) []uint8 {
	out := make([]uint8, n)
	for i := range out {
		out[i] = uint8(i)
	}
	return out
}

func (*impl) Strings(n uint32) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("string number %d of %d", i, n)
	}
	return out
}

type box struct {
	items []string
}

func (*impl) ConstructorBox(v []string) b.ExportsItMatrix1_2_0_EchoBox {
	return &box{v}
}

func (x *box) MethodBoxGet() []string {
	return x.items
}

func (x *box) MethodBoxPut(v string) uint32 {
	x.items = append(x.items, v)
	return uint32(len(x.items))
}

func (x *box) MethodBoxSwap(other b.ExportsItMatrix1_2_0_EchoBox) b.ExportsItMatrix1_2_0_EchoBox {
	o := &box{other.MethodBoxGet()}
	b.DropExportsItMatrix1_2_0_EchoBox(other)
	x.items, o.items = o.items, x.items
	return o
}

func (x *box) MethodBoxLongest(other b.ExportsItMatrix1_2_0_EchoBox) string {
	best := ""
	for _, s := range append(append([]string{}, x.items...), other.MethodBoxGet()...) {
		if len(s) > len(best) {
			best = s
		}
	}
	return best
}

func (*impl) StaticBoxMerge(x, y b.ExportsItMatrix1_2_0_EchoBox) b.ExportsItMatrix1_2_0_EchoBox {
	r := &box{append(append([]string{}, x.MethodBoxGet()...), y.MethodBoxGet()...)}
	b.DropExportsItMatrix1_2_0_EchoBox(x)
	b.DropExportsItMatrix1_2_0_EchoBox(y)
	return r
}

func (*impl) StaticBoxCount(bs []b.ExportsItMatrix1_2_0_EchoBox) uint32 {
	n := 0
	for _, x := range bs {
		n += len(x.MethodBoxGet())
	}
	return uint32(n)
}

func (*impl) PassBox(x b.ExportsItMatrix1_2_0_EchoBox) b.ExportsItMatrix1_2_0_EchoBox {
	return x
}

func (*impl) PeekBox(x b.ExportsItMatrix1_2_0_EchoBox) string {
	return strings.Join(x.MethodBoxGet(), ",")
}

func (*impl) PassBoxes(bs []b.ExportsItMatrix1_2_0_EchoBox) []b.ExportsItMatrix1_2_0_EchoBox {
	return bs
}

func (*impl) MaybeBox(x b.Option[b.ExportsItMatrix1_2_0_EchoBox]) b.Option[b.ExportsItMatrix1_2_0_EchoBox] {
	return x
}

func (*impl) BoxOr(x b.Result[b.ExportsItMatrix1_2_0_EchoBox, string]) b.Result[b.ExportsItMatrix1_2_0_EchoBox, string] {
	return x
}

func (*impl) NamedBoxes(bs []b.ExportsItMatrix1_2_0_EchoTuple2StringBoxT) []b.ExportsItMatrix1_2_0_EchoTuple2StringBoxT {
	return bs
}

func (*impl) TakeBox(x b.ExportsItMatrix1_2_0_EchoBox) {
	b.DropExportsItMatrix1_2_0_EchoBox(x)
}
