// SPDX-License-Identifier: Apache-2.0

package main

import (
	b "gomatrix/matrix/matrix"
)

// Every call of the exported echo goes on to the imported one: a value crosses the border four times there and four
// times back.
type impl struct{}

func (*impl) EchoBool(v bool) bool {
	return b.ItMatrix1_2_0_EchoEchoBool(v)
}

func (*impl) EchoU8(v uint8) uint8 {
	return b.ItMatrix1_2_0_EchoEchoU8(v)
}

func (*impl) EchoS8(v int8) int8 {
	return b.ItMatrix1_2_0_EchoEchoS8(v)
}

func (*impl) EchoU16(v uint16) uint16 {
	return b.ItMatrix1_2_0_EchoEchoU16(v)
}

func (*impl) EchoS16(v int16) int16 {
	return b.ItMatrix1_2_0_EchoEchoS16(v)
}

func (*impl) EchoU32(v uint32) uint32 {
	return b.ItMatrix1_2_0_EchoEchoU32(v)
}

func (*impl) EchoS32(v int32) int32 {
	return b.ItMatrix1_2_0_EchoEchoS32(v)
}

func (*impl) EchoU64(v uint64) uint64 {
	return b.ItMatrix1_2_0_EchoEchoU64(v)
}

func (*impl) EchoS64(v int64) int64 {
	return b.ItMatrix1_2_0_EchoEchoS64(v)
}

func (*impl) EchoF32(v float32) float32 {
	return b.ItMatrix1_2_0_EchoEchoF32(v)
}

func (*impl) EchoF64(v float64) float64 {
	return b.ItMatrix1_2_0_EchoEchoF64(v)
}

func (*impl) EchoChar(v rune) rune {
	return b.ItMatrix1_2_0_EchoEchoChar(v)
}

func (*impl) EchoString(v string) string {
	return b.ItMatrix1_2_0_EchoEchoString(v)
}

func (*impl) EchoDuration(v b.ExportsItMatrix1_2_0_EchoDuration) b.ExportsItMatrix1_2_0_EchoDuration {
	return b.ItMatrix1_2_0_EchoEchoDuration(v)
}

func (*impl) EchoPoint(v b.ExportsItMatrix1_2_0_EchoPoint) b.ExportsItMatrix1_2_0_EchoPoint {
	return b.ItMatrix1_2_0_EchoEchoPoint(v)
}

func (*impl) EchoMixed(v b.ExportsItMatrix1_2_0_EchoMixed) b.ExportsItMatrix1_2_0_EchoMixed {
	return b.ItMatrix1_2_0_EchoEchoMixed(v)
}

func (*impl) EchoAlias(v b.ExportsItMatrix1_2_0_EchoAm) b.ExportsItMatrix1_2_0_EchoAm {
	return b.ItMatrix1_2_0_EchoEchoAlias(v)
}

func (*impl) EchoWide(v b.ExportsItMatrix1_2_0_EchoWide) b.ExportsItMatrix1_2_0_EchoWide {
	return b.ItMatrix1_2_0_EchoEchoWide(v)
}

func (*impl) EchoColor(v b.ExportsItMatrix1_2_0_EchoColor) b.ExportsItMatrix1_2_0_EchoColor {
	return b.ItMatrix1_2_0_EchoEchoColor(v)
}

func (*impl) EchoMany(v b.ExportsItMatrix1_2_0_EchoMany) b.ExportsItMatrix1_2_0_EchoMany {
	return b.ItMatrix1_2_0_EchoEchoMany(v)
}

func (*impl) EchoFew(v b.ExportsItMatrix1_2_0_EchoFew) b.ExportsItMatrix1_2_0_EchoFew {
	return b.ItMatrix1_2_0_EchoEchoFew(v)
}

func (*impl) EchoDozen(v b.ExportsItMatrix1_2_0_EchoDozen) b.ExportsItMatrix1_2_0_EchoDozen {
	return b.ItMatrix1_2_0_EchoEchoDozen(v)
}

func (*impl) EchoAllBits(v b.ExportsItMatrix1_2_0_EchoAllBits) b.ExportsItMatrix1_2_0_EchoAllBits {
	return b.ItMatrix1_2_0_EchoEchoAllBits(v)
}

func (*impl) EchoJoined(v b.ExportsItMatrix1_2_0_EchoJoined) b.ExportsItMatrix1_2_0_EchoJoined {
	return b.ItMatrix1_2_0_EchoEchoJoined(v)
}

func (*impl) EchoNarrow(v b.ExportsItMatrix1_2_0_EchoNarrow) b.ExportsItMatrix1_2_0_EchoNarrow {
	return b.ItMatrix1_2_0_EchoEchoNarrow(v)
}

func (*impl) EchoPlain(v b.ExportsItMatrix1_2_0_EchoPlain) b.ExportsItMatrix1_2_0_EchoPlain {
	return b.ItMatrix1_2_0_EchoEchoPlain(v)
}

func (*impl) EchoOption(v b.Option[uint32]) b.Option[uint32] {
	return b.ItMatrix1_2_0_EchoEchoOption(v)
}

func (*impl) EchoOptionOption(v b.Option[b.Option[string]]) b.Option[b.Option[string]] {
	return b.ItMatrix1_2_0_EchoEchoOptionOption(v)
}

func (*impl) EchoResult(v b.Result[uint64, string]) b.Result[uint64, string] {
	return b.ItMatrix1_2_0_EchoEchoResult(v)
}

func (*impl) EchoResultOk(v b.Result[b.ExportsItMatrix1_2_0_EchoMixed, struct{}]) b.Result[b.ExportsItMatrix1_2_0_EchoMixed, struct{}] {
	return b.ItMatrix1_2_0_EchoEchoResultOk(v)
}

func (*impl) EchoResultErr(v b.Result[struct{}, b.ExportsItMatrix1_2_0_EchoColor]) b.Result[struct{}, b.ExportsItMatrix1_2_0_EchoColor] {
	return b.ItMatrix1_2_0_EchoEchoResultErr(v)
}

func (*impl) EchoResultNone(v b.Result[struct{}, struct{}]) b.Result[struct{}, struct{}] {
	return b.ItMatrix1_2_0_EchoEchoResultNone(v)
}

func (*impl) EchoResultDeep(v b.Result[b.Option[[]string], b.ExportsItMatrix1_2_0_EchoTuple2U8F64T]) b.Result[b.Option[[]string], b.ExportsItMatrix1_2_0_EchoTuple2U8F64T] {
	return b.ItMatrix1_2_0_EchoEchoResultDeep(v)
}

func (*impl) EchoTuple(v b.ExportsItMatrix1_2_0_EchoTuple4U8StringF32ByteT) b.ExportsItMatrix1_2_0_EchoTuple4U8StringF32ByteT {
	return b.ItMatrix1_2_0_EchoEchoTuple(v)
}

func (*impl) EchoTupleOne(v b.ExportsItMatrix1_2_0_EchoTuple1S64T) b.ExportsItMatrix1_2_0_EchoTuple1S64T {
	return b.ItMatrix1_2_0_EchoEchoTupleOne(v)
}

func (*impl) EchoBools(v []bool) []bool {
	return b.ItMatrix1_2_0_EchoEchoBools(v)
}

func (*impl) EchoBytes(v []uint8) []uint8 {
	return b.ItMatrix1_2_0_EchoEchoBytes(v)
}

func (*impl) EchoS64s(v []int64) []int64 {
	return b.ItMatrix1_2_0_EchoEchoS64s(v)
}

func (*impl) EchoF32s(v []float32) []float32 {
	return b.ItMatrix1_2_0_EchoEchoF32s(v)
}

func (*impl) EchoChars(v []rune) []rune {
	return b.ItMatrix1_2_0_EchoEchoChars(v)
}

func (*impl) EchoStrings(v []string) []string {
	return b.ItMatrix1_2_0_EchoEchoStrings(v)
}

func (*impl) EchoPoints(v []b.ExportsItMatrix1_2_0_EchoPoint) []b.ExportsItMatrix1_2_0_EchoPoint {
	return b.ItMatrix1_2_0_EchoEchoPoints(v)
}

func (*impl) EchoListList(v [][]uint16) [][]uint16 {
	return b.ItMatrix1_2_0_EchoEchoListList(v)
}

func (*impl) EchoMixeds(v []b.ExportsItMatrix1_2_0_EchoMixed) []b.ExportsItMatrix1_2_0_EchoMixed {
	return b.ItMatrix1_2_0_EchoEchoMixeds(v)
}

func (*impl) EchoJoineds(v []b.ExportsItMatrix1_2_0_EchoJoined) []b.ExportsItMatrix1_2_0_EchoJoined {
	return b.ItMatrix1_2_0_EchoEchoJoineds(v)
}

func (*impl) EchoFlagsList(v []b.ExportsItMatrix1_2_0_EchoTuple3FewDozenAllBitsT) []b.ExportsItMatrix1_2_0_EchoTuple3FewDozenAllBitsT {
	return b.ItMatrix1_2_0_EchoEchoFlagsList(v)
}

func (*impl) EchoManys(v []b.ExportsItMatrix1_2_0_EchoMany) []b.ExportsItMatrix1_2_0_EchoMany {
	return b.ItMatrix1_2_0_EchoEchoManys(v)
}

func (*impl) Spilled(a uint8, s string, c uint64, d []uint16, e float32, f bool, g b.ExportsItMatrix1_2_0_EchoMixed, h b.Option[string], i rune) b.ExportsItMatrix1_2_0_EchoWideTuple {
	return b.ItMatrix1_2_0_EchoSpilled(a, s, c, d, e, f, g, h, i)
}

func (*impl) Keywords(_type string, _func uint32, _ret uint8, _range bool, _select rune, _go int64) string {
	return b.ItMatrix1_2_0_EchoKeywords(_type, _func, _ret, _range, _select, _go)
}

func (*impl) Nothing() {
	b.ItMatrix1_2_0_EchoNothing()
}

func (*impl) Blob(n uint32) []uint8 {
	return b.ItMatrix1_2_0_EchoBlob(n)
}

func (*impl) Strings(n uint32) []string {
	return b.ItMatrix1_2_0_EchoStrings(n)
}

// box wraps a box of the imported interface.
type box struct {
	far b.ItMatrix1_2_0_EchoBox
}

func far(x b.ExportsItMatrix1_2_0_EchoBox) b.ItMatrix1_2_0_EchoBox {
	return x.(*box).far
}

// take gives up the near box and returns the far one.
func take(x b.ExportsItMatrix1_2_0_EchoBox) b.ItMatrix1_2_0_EchoBox {
	f := far(x)
	b.DropExportsItMatrix1_2_0_EchoBox(x)
	return f
}

func (*impl) ConstructorBox(v []string) b.ExportsItMatrix1_2_0_EchoBox {
	return &box{b.NewBox(v)}
}

func (x *box) MethodBoxGet() []string {
	return x.far.Get()
}

func (x *box) MethodBoxPut(v string) uint32 {
	return x.far.Put(v)
}

func (x *box) MethodBoxSwap(other b.ExportsItMatrix1_2_0_EchoBox) b.ExportsItMatrix1_2_0_EchoBox {
	return &box{x.far.Swap(take(other))}
}

func (x *box) MethodBoxLongest(other b.ExportsItMatrix1_2_0_EchoBox) string {
	return x.far.Longest(far(other))
}

func (*impl) StaticBoxMerge(x, y b.ExportsItMatrix1_2_0_EchoBox) b.ExportsItMatrix1_2_0_EchoBox {
	return &box{b.StaticBoxMerge(take(x), take(y))}
}

func (*impl) StaticBoxCount(bs []b.ExportsItMatrix1_2_0_EchoBox) uint32 {
	var fars []b.ItMatrix1_2_0_EchoBox
	for _, x := range bs {
		fars = append(fars, far(x))
	}
	return b.StaticBoxCount(fars)
}

func (*impl) PassBox(x b.ExportsItMatrix1_2_0_EchoBox) b.ExportsItMatrix1_2_0_EchoBox {
	return &box{b.ItMatrix1_2_0_EchoPassBox(take(x))}
}

func (*impl) PeekBox(x b.ExportsItMatrix1_2_0_EchoBox) string {
	return b.ItMatrix1_2_0_EchoPeekBox(far(x))
}

func (*impl) PassBoxes(bs []b.ExportsItMatrix1_2_0_EchoBox) []b.ExportsItMatrix1_2_0_EchoBox {
	var fars []b.ItMatrix1_2_0_EchoBox
	for _, x := range bs {
		fars = append(fars, take(x))
	}
	var out []b.ExportsItMatrix1_2_0_EchoBox
	for _, f := range b.ItMatrix1_2_0_EchoPassBoxes(fars) {
		out = append(out, &box{f})
	}
	return out
}

func (*impl) MaybeBox(x b.Option[b.ExportsItMatrix1_2_0_EchoBox]) b.Option[b.ExportsItMatrix1_2_0_EchoBox] {
	var arg b.Option[b.ItMatrix1_2_0_EchoBox]
	if x.IsSome() {
		arg.Set(take(x.Unwrap()))
	}
	r := b.ItMatrix1_2_0_EchoMaybeBox(arg)
	if r.IsNone() {
		return b.None[b.ExportsItMatrix1_2_0_EchoBox]()
	}
	return b.Some[b.ExportsItMatrix1_2_0_EchoBox](&box{r.Unwrap()})
}

func (*impl) BoxOr(x b.Result[b.ExportsItMatrix1_2_0_EchoBox, string]) b.Result[b.ExportsItMatrix1_2_0_EchoBox, string] {
	var arg b.Result[b.ItMatrix1_2_0_EchoBox, string]
	if x.IsOk() {
		arg.Set(take(x.Unwrap()))
	} else {
		arg.SetErr(x.UnwrapErr())
	}
	r := b.ItMatrix1_2_0_EchoBoxOr(arg)
	if r.IsErr() {
		return b.Err[b.ExportsItMatrix1_2_0_EchoBox](r.UnwrapErr())
	}
	return b.Ok[b.ExportsItMatrix1_2_0_EchoBox, string](&box{r.Unwrap()})
}

func (*impl) NamedBoxes(bs []b.ExportsItMatrix1_2_0_EchoTuple2StringBoxT) []b.ExportsItMatrix1_2_0_EchoTuple2StringBoxT {
	var fars []b.ItMatrix1_2_0_EchoTuple2StringBoxT
	for _, x := range bs {
		fars = append(fars, b.ItMatrix1_2_0_EchoTuple2StringBoxT{F0: x.F0, F1: take(x.F1)})
	}
	var out []b.ExportsItMatrix1_2_0_EchoTuple2StringBoxT
	for _, x := range b.ItMatrix1_2_0_EchoNamedBoxes(fars) {
		out = append(out, b.ExportsItMatrix1_2_0_EchoTuple2StringBoxT{F0: x.F0, F1: &box{x.F1}})
	}
	return out
}

func (*impl) TakeBox(x b.ExportsItMatrix1_2_0_EchoBox) {
	b.ItMatrix1_2_0_EchoTakeBox(take(x))
}
