// SPDX-License-Identifier: Apache-2.0

// Command idiom stands between the caller and the far side of the type matrix, in bindings style go: every call of its
// exported echo goes on to the imported one, so every value crosses both kinds of borders in both directions.
package main

import (
	"context"

	far "gomatrix/idiom/internal/golem/echo"
	near "gomatrix/idiom/internal/golem/echoexport"
	"gomatrix/internal/golem/wit"
)

type impl struct{}

func init() {
	near.Export(impl{})
}

func main() {}

func (impl) EchoBool(_ context.Context, v bool) (bool, error) {
	return far.EchoBool(v), nil
}

func (impl) EchoU8(_ context.Context, v uint8) (uint8, error) {
	return far.EchoU8(v), nil
}

func (impl) EchoS8(_ context.Context, v int8) (int8, error) {
	return far.EchoS8(v), nil
}

func (impl) EchoU16(_ context.Context, v uint16) (uint16, error) {
	return far.EchoU16(v), nil
}

func (impl) EchoS16(_ context.Context, v int16) (int16, error) {
	return far.EchoS16(v), nil
}

func (impl) EchoU32(_ context.Context, v uint32) (uint32, error) {
	return far.EchoU32(v), nil
}

func (impl) EchoS32(_ context.Context, v int32) (int32, error) {
	return far.EchoS32(v), nil
}

func (impl) EchoU64(_ context.Context, v uint64) (uint64, error) {
	return far.EchoU64(v), nil
}

func (impl) EchoS64(_ context.Context, v int64) (int64, error) {
	return far.EchoS64(v), nil
}

func (impl) EchoF32(_ context.Context, v float32) (float32, error) {
	return far.EchoF32(v), nil
}

func (impl) EchoF64(_ context.Context, v float64) (float64, error) {
	return far.EchoF64(v), nil
}

func (impl) EchoChar(_ context.Context, v rune) (rune, error) {
	return far.EchoChar(v), nil
}

func (impl) EchoString(_ context.Context, v string) (string, error) {
	return far.EchoString(v), nil
}

func (impl) EchoDuration(_ context.Context, v near.Duration) (near.Duration, error) {
	return far.EchoDuration(v), nil
}

func (impl) EchoPoint(_ context.Context, v near.Point) (near.Point, error) {
	return far.EchoPoint(v), nil
}

func (impl) EchoMixed(_ context.Context, v near.Mixed) (near.Mixed, error) {
	return far.EchoMixed(v), nil
}

func (impl) EchoAlias(_ context.Context, v near.Am) (near.Am, error) {
	return far.EchoAlias(v), nil
}

func (impl) EchoWide(_ context.Context, v near.Wide) (near.Wide, error) {
	return far.EchoWide(v), nil
}

func (impl) EchoColor(_ context.Context, v near.Color) (near.Color, error) {
	return far.EchoColor(v), nil
}

func (impl) EchoMany(_ context.Context, v near.Many) (near.Many, error) {
	return far.EchoMany(v), nil
}

func (impl) EchoFew(_ context.Context, v near.Few) (near.Few, error) {
	return far.EchoFew(v), nil
}

func (impl) EchoDozen(_ context.Context, v near.Dozen) (near.Dozen, error) {
	return far.EchoDozen(v), nil
}

func (impl) EchoAllBits(_ context.Context, v near.AllBits) (near.AllBits, error) {
	return far.EchoAllBits(v), nil
}

func (impl) EchoJoined(_ context.Context, v near.Joined) (near.Joined, error) {
	return far.EchoJoined(v), nil
}

func (impl) EchoNarrow(_ context.Context, v near.Narrow) (near.Narrow, error) {
	return far.EchoNarrow(v), nil
}

func (impl) EchoPlain(_ context.Context, v near.Plain) (near.Plain, error) {
	return far.EchoPlain(v), nil
}

func (impl) EchoOption(_ context.Context, v *uint32) (*uint32, error) {
	return far.EchoOption(v), nil
}

func (impl) EchoOptionOption(_ context.Context, v **string) (**string, error) {
	return far.EchoOptionOption(v), nil
}

func (impl) EchoTuple(_ context.Context, v wit.Tuple4[byte, string, float32, rune]) (wit.Tuple4[byte, string, float32, rune], error) {
	return far.EchoTuple(v), nil
}

func (impl) EchoTupleOne(_ context.Context, v wit.Tuple1[int64]) (wit.Tuple1[int64], error) {
	return far.EchoTupleOne(v), nil
}

func (impl) EchoBools(_ context.Context, v []bool) ([]bool, error) {
	return far.EchoBools(v), nil
}

func (impl) EchoBytes(_ context.Context, v []byte) ([]byte, error) {
	return far.EchoBytes(v), nil
}

func (impl) EchoS64s(_ context.Context, v []int64) ([]int64, error) {
	return far.EchoS64s(v), nil
}

func (impl) EchoF32s(_ context.Context, v []float32) ([]float32, error) {
	return far.EchoF32s(v), nil
}

func (impl) EchoChars(_ context.Context, v []rune) ([]rune, error) {
	return far.EchoChars(v), nil
}

func (impl) EchoStrings(_ context.Context, v []string) ([]string, error) {
	return far.EchoStrings(v), nil
}

func (impl) EchoPoints(_ context.Context, v []near.Point) ([]near.Point, error) {
	return far.EchoPoints(v), nil
}

func (impl) EchoListList(_ context.Context, v [][]uint16) ([][]uint16, error) {
	return far.EchoListList(v), nil
}

func (impl) EchoMixeds(_ context.Context, v []near.Mixed) ([]near.Mixed, error) {
	return far.EchoMixeds(v), nil
}

func (impl) EchoJoineds(_ context.Context, v []near.Joined) ([]near.Joined, error) {
	return far.EchoJoineds(v), nil
}

func (impl) EchoFlagsList(_ context.Context, v []wit.Tuple3[near.Few, near.Dozen, near.AllBits]) ([]wit.Tuple3[near.Few, near.Dozen, near.AllBits], error) {
	return far.EchoFlagsList(v), nil
}

func (impl) EchoManys(_ context.Context, v []near.Many) ([]near.Many, error) {
	return far.EchoManys(v), nil
}

func (impl) EchoResult(_ context.Context, v wit.Result[uint64, string]) (uint64, error) {
	return far.EchoResult(v)
}

func (impl) EchoResultOk(_ context.Context, v wit.Result[near.Mixed, struct{}]) (near.Mixed, error) {
	return far.EchoResultOk(v)
}

func (impl) EchoResultErr(_ context.Context, v wit.Result[struct{}, near.Color]) error {
	return far.EchoResultErr(v)
}

func (impl) EchoResultNone(_ context.Context, v wit.Result[struct{}, struct{}]) error {
	return far.EchoResultNone(v)
}

func (impl) EchoResultDeep(_ context.Context, v wit.Result[*[]string, wit.Tuple2[byte, float64]]) (*[]string, error) {
	return far.EchoResultDeep(v)
}

func (impl) Spilled(_ context.Context, a uint8, s string, c uint64, d []uint16, e float32, f bool, g near.Mixed, h *string, i rune) (near.WideTuple, error) {
	return far.Spilled(a, s, c, d, e, f, g, h, i), nil
}

func (impl) Keywords(_ context.Context, t string, f uint32, r uint8, a bool, s rune, g int64) (string, error) {
	return far.Keywords(t, f, r, a, s, g), nil
}

func (impl) Nothing(context.Context) error {
	far.Nothing()
	return nil
}

func (impl) Blob(_ context.Context, n uint32) ([]byte, error) {
	return far.Blob(n), nil
}

func (impl) Strings(_ context.Context, n uint32) ([]string, error) {
	return far.Strings(n), nil
}

// box wraps a box of the imported interface.
type box struct {
	far *far.Box
}

func lend(b near.Box) *far.Box {
	return b.(*box).far
}

// take gives up the near box and returns the far one.
func take(b near.Box) *far.Box {
	f := lend(b)
	near.CloseBox(b)
	return f
}

func (impl) NewBox(_ context.Context, v []string) (near.Box, error) {
	return &box{far.NewBox(v)}, nil
}

func (b *box) Get(context.Context) ([]string, error) {
	return b.far.Get(), nil
}

func (b *box) Put(_ context.Context, v string) (uint32, error) {
	return b.far.Put(v), nil
}

func (b *box) Swap(_ context.Context, other near.Box) (near.Box, error) {
	return &box{b.far.Swap(take(other))}, nil
}

func (b *box) Longest(_ context.Context, other near.Box) (string, error) {
	return b.far.Longest(lend(other)), nil
}

func (impl) BoxMerge(_ context.Context, a near.Box, b near.Box) (near.Box, error) {
	return &box{far.BoxMerge(take(a), take(b))}, nil
}

func (impl) BoxCount(_ context.Context, bs []near.Box) (uint32, error) {
	var fars []*far.Box
	for _, b := range bs {
		fars = append(fars, lend(b))
	}
	return far.BoxCount(fars), nil
}

func (impl) PassBox(_ context.Context, b near.Box) (near.Box, error) {
	return &box{far.PassBox(take(b))}, nil
}

func (impl) PeekBox(_ context.Context, b near.Box) (string, error) {
	return far.PeekBox(lend(b)), nil
}

func (impl) PassBoxes(_ context.Context, bs []near.Box) ([]near.Box, error) {
	var fars []*far.Box
	for _, b := range bs {
		fars = append(fars, take(b))
	}
	var out []near.Box
	for _, f := range far.PassBoxes(fars) {
		out = append(out, &box{f})
	}
	return out, nil
}

func (impl) MaybeBox(_ context.Context, b near.Box) (near.Box, error) {
	if b == nil {
		if far.MaybeBox(nil) != nil {
			panic("nothing came back as a box")
		}
		return nil, nil
	}
	return &box{far.MaybeBox(take(b))}, nil
}

func (impl) BoxOr(_ context.Context, r wit.Result[near.Box, string]) (near.Box, error) {
	var arg wit.Result[*far.Box, string]
	if r.IsOk() {
		arg.Set(take(r.Unwrap()))
	} else {
		arg.SetErr(r.UnwrapErr())
	}
	b, err := far.BoxOr(arg)
	if err != nil {
		return nil, err
	}
	return &box{b}, nil
}

func (impl) NamedBoxes(_ context.Context, bs []wit.Tuple2[string, near.Box]) ([]wit.Tuple2[string, near.Box], error) {
	var fars []wit.Tuple2[string, *far.Box]
	for _, b := range bs {
		fars = append(fars, wit.Tuple2[string, *far.Box]{F0: b.F0, F1: take(b.F1)})
	}
	var out []wit.Tuple2[string, near.Box]
	for _, b := range far.NamedBoxes(fars) {
		out = append(out, wit.Tuple2[string, near.Box]{F0: b.F0, F1: &box{b.F1}})
	}
	return out, nil
}

func (impl) TakeBox(_ context.Context, b near.Box) error {
	far.TakeBox(take(b))
	return nil
}
