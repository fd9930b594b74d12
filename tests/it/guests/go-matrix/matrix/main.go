// SPDX-License-Identifier: Apache-2.0

// Command matrix is the near side of the type matrix: it forwards, checks itself, and puts memory under pressure.
package main

import (
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"time"

	b "gomatrix/matrix/matrix"
)

func init() {
	b.SetExportsItMatrix1_2_0_Echo(&impl{})
	b.SetExportsItMatrix1_2_0_Run(&run{})
}

func main() {}

type run struct{}

type report []string

func same[T any](r *report, name string, f func(T) T, values ...T) {
	for _, v := range values {
		if got := f(v); !reflect.DeepEqual(got, v) {
			*r = append(*r, fmt.Sprintf("%s: sent %.200v, got %.200v", name, v, got))
		}
	}
}

func (r *report) equal(name string, got, want any) {
	if !reflect.DeepEqual(got, want) {
		*r = append(*r, fmt.Sprintf("%s: got %.200v, want %.200v", name, got, want))
	}
}

type (
	point  = b.ItMatrix1_2_0_TypesPoint
	mixed  = b.ItMatrix1_2_0_TypesMixed
	wide   = b.ItMatrix1_2_0_TypesWide
	joined = b.ItMatrix1_2_0_TypesJoined
)

func mixedOf(i int) mixed {
	m := mixed{Small: uint8(i), Wide: uint64(i) << 40, Flag: i%2 == 0, Letter: '🦀' + rune(i%3), Text: strings.Repeat("é", i%17)}
	for j := range i % 4 {
		m.Points = append(m.Points, point{X: int32(-j), Y: int32(i)})
	}
	if i%3 == 0 {
		m.Inner = b.Some(point{X: math.MinInt32, Y: math.MaxInt32})
	}
	return m
}

func wideOf(i int) wide {
	w := wide{A: uint64(i), B: fmt.Sprint("b", i), C: 1.5, D: -2.25, E: []uint8{1, 2, 3}, F: 255, G: 65535, H: -128, I: -32768, J: -1, K: math.MinInt64, L: true, M: 'ž', N: b.Some("n")}
	w.O.SetErr("oops")
	if i%2 == 0 {
		w.O.Set(7)
	}
	return w
}

func joinedAll() []joined {
	return []joined{
		b.ItMatrix1_2_0_TypesJoinedNone(),
		b.ItMatrix1_2_0_TypesJoinedWord(math.MaxUint32),
		b.ItMatrix1_2_0_TypesJoinedSingle(-0.5),
		b.ItMatrix1_2_0_TypesJoinedDoubleWord(math.MaxUint64 - 1),
		b.ItMatrix1_2_0_TypesJoinedDouble(math.Pi),
		b.ItMatrix1_2_0_TypesJoinedText("text"),
		b.ItMatrix1_2_0_TypesJoinedBytes([]uint8{0, 255}),
		b.ItMatrix1_2_0_TypesJoinedPair(b.ItMatrix1_2_0_TypesTuple2F32U64T{F0: 2.5, F1: 1 << 63}),
		b.ItMatrix1_2_0_TypesJoinedShape(mixedOf(6)),
	}
}

func (*run) Check() []string {
	r := report{}
	same(&r, "bool", b.ItMatrix1_2_0_EchoEchoBool, true, false)
	same(&r, "u8", b.ItMatrix1_2_0_EchoEchoU8, 0, 1, 127, 128, 255)
	same(&r, "s8", b.ItMatrix1_2_0_EchoEchoS8, -128, -1, 0, 127)
	same(&r, "u16", b.ItMatrix1_2_0_EchoEchoU16, 0, 65535)
	same(&r, "s16", b.ItMatrix1_2_0_EchoEchoS16, -32768, -1, 32767)
	same(&r, "u32", b.ItMatrix1_2_0_EchoEchoU32, 0, math.MaxUint32)
	same(&r, "s32", b.ItMatrix1_2_0_EchoEchoS32, math.MinInt32, -1, math.MaxInt32)
	same(&r, "u64", b.ItMatrix1_2_0_EchoEchoU64, 0, math.MaxUint64)
	same(&r, "s64", b.ItMatrix1_2_0_EchoEchoS64, math.MinInt64, -1, math.MaxInt64)
	same(&r, "f32", b.ItMatrix1_2_0_EchoEchoF32, 0, -1.5, math.MaxFloat32, float32(math.Inf(1)))
	same(&r, "f64", b.ItMatrix1_2_0_EchoEchoF64, 0, -1.5, math.MaxFloat64, math.Inf(-1), math.SmallestNonzeroFloat64)
	if got := b.ItMatrix1_2_0_EchoEchoF64(math.NaN()); got == got {
		r = append(r, "f64: NaN came back as a number")
	}
	same(&r, "char", b.ItMatrix1_2_0_EchoEchoChar, 'a', 0, 'ž', '🦀', 0x10ffff)
	same(&r, "string", b.ItMatrix1_2_0_EchoEchoString, "", "x", "žluťoučký 🐎", strings.Repeat("long ", 100_000))
	same(&r, "duration", b.ItMatrix1_2_0_EchoEchoDuration, 1, math.MaxUint64)
	same(&r, "point", b.ItMatrix1_2_0_EchoEchoPoint, point{}, point{X: -1, Y: 1})
	for i := range 8 {
		same(&r, "mixed", b.ItMatrix1_2_0_EchoEchoMixed, mixedOf(i))
		same(&r, "alias", b.ItMatrix1_2_0_EchoEchoAlias, mixedOf(i))
		same(&r, "wide", b.ItMatrix1_2_0_EchoEchoWide, wideOf(i))
	}
	same(&r, "color", b.ItMatrix1_2_0_EchoEchoColor, b.ItMatrix1_2_0_TypesColorRed(), b.ItMatrix1_2_0_TypesColorBlueIsh())
	same(&r, "many", b.ItMatrix1_2_0_EchoEchoMany, b.ItMatrix1_2_0_TypesManyC0(), b.ItMatrix1_2_0_TypesManyC255(), b.ItMatrix1_2_0_TypesManyC256(), b.ItMatrix1_2_0_TypesManyC299())
	same(&r, "few", b.ItMatrix1_2_0_EchoEchoFew, 0, b.ItMatrix1_2_0_TypesFew_Read|b.ItMatrix1_2_0_TypesFew_Exec)
	same(&r, "dozen", b.ItMatrix1_2_0_EchoEchoDozen, 0, b.ItMatrix1_2_0_TypesDozen_B11|b.ItMatrix1_2_0_TypesDozen_B0)
	same(&r, "all-bits", b.ItMatrix1_2_0_EchoEchoAllBits, 0, b.ItMatrix1_2_0_TypesAllBits_B31|b.ItMatrix1_2_0_TypesAllBits_B16, 1<<32-1)
	same(&r, "joined", b.ItMatrix1_2_0_EchoEchoJoined, joinedAll()...)
	same(&r, "narrow", b.ItMatrix1_2_0_EchoEchoNarrow, b.ItMatrix1_2_0_TypesNarrowWhole(-5), b.ItMatrix1_2_0_TypesNarrowPart(-5.5))
	same(&r, "plain", b.ItMatrix1_2_0_EchoEchoPlain, b.ItMatrix1_2_0_TypesPlainOne(), b.ItMatrix1_2_0_TypesPlainTwo())
	same(&r, "option", b.ItMatrix1_2_0_EchoEchoOption, b.None[uint32](), b.Some[uint32](0), b.Some[uint32](9))
	same(&r, "option-option", b.ItMatrix1_2_0_EchoEchoOptionOption, b.None[b.Option[string]](), b.Some(b.None[string]()), b.Some(b.Some("x")))
	same(&r, "result", b.ItMatrix1_2_0_EchoEchoResult, b.Ok[uint64, string](math.MaxUint64), b.Err[uint64]("bad"))
	same(&r, "result-ok", b.ItMatrix1_2_0_EchoEchoResultOk, b.Ok[mixed, struct{}](mixedOf(3)), b.Err[mixed](struct{}{}))
	same(&r, "result-err", b.ItMatrix1_2_0_EchoEchoResultErr, b.Ok[struct{}, b.ItMatrix1_2_0_TypesColor](struct{}{}), b.Err[struct{}](b.ItMatrix1_2_0_TypesColorGreen()))
	same(&r, "result-none", b.ItMatrix1_2_0_EchoEchoResultNone, b.Ok[struct{}, struct{}](struct{}{}), b.Err[struct{}](struct{}{}))
	type deepErr = b.ItMatrix1_2_0_EchoTuple2U8F64T
	same(&r, "result-deep", b.ItMatrix1_2_0_EchoEchoResultDeep, b.Ok[b.Option[[]string], deepErr](b.Some([]string{"a", "", "c"})), b.Ok[b.Option[[]string], deepErr](b.None[[]string]()), b.Err[b.Option[[]string]](deepErr{F0: 3, F1: -0.25}))
	same(&r, "tuple", b.ItMatrix1_2_0_EchoEchoTuple, b.ItMatrix1_2_0_EchoTuple4U8StringF32ByteT{F0: 1, F1: "t", F2: -1, F3: '🦀'})
	same(&r, "tuple-one", b.ItMatrix1_2_0_EchoEchoTupleOne, b.ItMatrix1_2_0_EchoTuple1S64T{F0: -7})
	same(&r, "bools", b.ItMatrix1_2_0_EchoEchoBools, nil, []bool{true, false, true})
	same(&r, "bytes", b.ItMatrix1_2_0_EchoEchoBytes, nil, []uint8{0, 1, 255}, []uint8(strings.Repeat("z", 300_000)))
	same(&r, "s64s", b.ItMatrix1_2_0_EchoEchoS64s, nil, []int64{math.MinInt64, 0, math.MaxInt64})
	same(&r, "f32s", b.ItMatrix1_2_0_EchoEchoF32s, nil, []float32{1, -2.5})
	same(&r, "chars", b.ItMatrix1_2_0_EchoEchoChars, nil, []rune("až🦀"))
	same(&r, "strings", b.ItMatrix1_2_0_EchoEchoStrings, nil, []string{"", "a", strings.Repeat("b", 70_000)})
	same(&r, "points", b.ItMatrix1_2_0_EchoEchoPoints, nil, []point{{X: 1, Y: 2}, {X: -3, Y: -4}, {}})
	same(&r, "list-list", b.ItMatrix1_2_0_EchoEchoListList, nil, [][]uint16{{1}, nil, {2, 3, 65535}})
	var mixeds []mixed
	for i := range 50 {
		mixeds = append(mixeds, mixedOf(i))
	}
	same(&r, "mixeds", b.ItMatrix1_2_0_EchoEchoMixeds, nil, mixeds)
	same(&r, "joineds", b.ItMatrix1_2_0_EchoEchoJoineds, nil, joinedAll())
	type flags = b.ItMatrix1_2_0_EchoTuple3FewDozenAllBitsT
	same(&r, "flags-list", b.ItMatrix1_2_0_EchoEchoFlagsList, nil, []flags{{F0: 7, F1: 4095, F2: 1<<32 - 1}, {F0: 1, F1: 1 << 11, F2: 1 << 31}})
	same(&r, "manys", b.ItMatrix1_2_0_EchoEchoManys, []b.ItMatrix1_2_0_TypesMany{b.ItMatrix1_2_0_TypesManyC1(), b.ItMatrix1_2_0_TypesManyC256()})
	spilled := b.ItMatrix1_2_0_EchoSpilled(9, "s", 1<<63, []uint16{1, 2}, 0.5, true, mixedOf(3), b.Some("h"), 'i')
	r.equal("spilled", spilled, b.ItMatrix1_2_0_EchoWideTuple{F0: 9, F1: "s", F2: 1 << 63, F3: []uint16{1, 2}, F4: 0.5, F5: true, F6: mixedOf(3), F7: b.Some("h"), F8: 'i'})
	r.equal("keywords", b.ItMatrix1_2_0_EchoKeywords("t", 1, 2, true, 's', -3), "t 1 2 true s -3")
	b.ItMatrix1_2_0_EchoNothing()
	return r
}

func (*run) CheckResources() []string {
	r := report{}
	for range 3 {
		x, y := b.NewBox([]string{"a"}), b.NewBox(nil)
		r.equal("get", x.Get(), []string{"a"})
		r.equal("put", y.Put("bb"), uint32(1))
		r.equal("longest", x.Longest(y), "bb")
		r.equal("count", b.StaticBoxCount([]b.ItMatrix1_2_0_EchoBox{x, y, x}), uint32(3))
		r.equal("peek", b.ItMatrix1_2_0_EchoPeekBox(x), "a")
		z := x.Swap(y)
		r.equal("swap", [][]string{x.Get(), z.Get()}, [][]string{{"bb"}, {"a"}})
		z = b.ItMatrix1_2_0_EchoPassBox(z)
		r.equal("pass", z.Get(), []string{"a"})
		m := b.StaticBoxMerge(x, z)
		r.equal("merge", m.Get(), []string{"bb", "a"})
		all := b.ItMatrix1_2_0_EchoPassBoxes([]b.ItMatrix1_2_0_EchoBox{m, b.NewBox([]string{"n"})})
		r.equal("boxes", []string{b.ItMatrix1_2_0_EchoPeekBox(all[0]), b.ItMatrix1_2_0_EchoPeekBox(all[1])}, []string{"bb,a", "n"})
		r.equal("no boxes", len(b.ItMatrix1_2_0_EchoPassBoxes(nil)), 0)
		some := b.ItMatrix1_2_0_EchoMaybeBox(b.Some(all[0]))
		r.equal("maybe", b.ItMatrix1_2_0_EchoPeekBox(some.Unwrap()), "bb,a")
		r.equal("none", b.ItMatrix1_2_0_EchoMaybeBox(b.None[b.ItMatrix1_2_0_EchoBox]()).IsNone(), true)
		ok := b.ItMatrix1_2_0_EchoBoxOr(b.Ok[b.ItMatrix1_2_0_EchoBox, string](some.Unwrap()))
		r.equal("ok", b.ItMatrix1_2_0_EchoPeekBox(ok.Unwrap()), "bb,a")
		r.equal("err", b.ItMatrix1_2_0_EchoBoxOr(b.Err[b.ItMatrix1_2_0_EchoBox]("e")).UnwrapErr(), "e")
		named := b.ItMatrix1_2_0_EchoNamedBoxes([]b.ItMatrix1_2_0_EchoTuple2StringBoxT{{F0: "k", F1: ok.Unwrap()}})
		r.equal("named", named[0].F0+b.ItMatrix1_2_0_EchoPeekBox(named[0].F1), "kbb,a")
		b.ItMatrix1_2_0_EchoTakeBox(named[0].F1)
		all[1].Drop()
	}
	return r
}

func (*run) Collections() uint32 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.NumGC
}

type node struct {
	next *node
	data [64]byte
}

var kept []*node

// churn makes garbage, some of it long-lived.
func churn(n int) {
	var l *node
	for i := range n {
		l = &node{next: l}
		l.data[0] = byte(i)
		if i%50 == 0 {
			kept = append(kept, l)
			l = nil
		}
	}
	if len(kept) > 2000 {
		kept = nil
	}
}

var (
	busy  bool
	ticks uint64
)

func (*run) Stress(kind string, n uint32) string {
	switch kind {
	case "busy-start":
		if !busy {
			busy = true
			for g := range 4 {
				go func() {
					for i := 0; ; i++ {
						churn(100)
						if s := fmt.Sprint(g, i); b.ItMatrix1_2_0_EchoEchoString(s) != s {
							panic("corrupt in the background")
						}
						runtime.Gosched()
					}
				}()
			}
		}
	case "ticker-start":
		go func() {
			for range time.Tick(time.Millisecond) {
				ticks++
			}
		}()
	case "gc":
		for i := range n {
			runtime.GC()
			if s := fmt.Sprint(i); b.ItMatrix1_2_0_EchoEchoString(s) != s {
				return "corrupt " + s
			}
		}
	case "calls": // many small calls, each with memory both ways
		for i := range n {
			churn(20)
			if s := fmt.Sprintf("call number %d", i); b.ItMatrix1_2_0_EchoEchoString(s) != s {
				return "corrupt " + s
			}
		}
	case "strings":
		for i := range n {
			churn(200)
			k := 50 + i%500
			got := b.ItMatrix1_2_0_EchoStrings(k)
			if len(got) != int(k) {
				return fmt.Sprint("length ", len(got))
			}
			for j, v := range got {
				if v != fmt.Sprintf("string number %d of %d", j, k) {
					return "corrupt " + v
				}
			}
		}
	case "blob":
		for i := range n {
			churn(200)
			k := (i * 1_299_709) % 5_000_000
			got := b.ItMatrix1_2_0_EchoBlob(k)
			if len(got) != int(k) {
				return fmt.Sprint("length ", len(got))
			}
			for j := 0; j < len(got); j += 97 {
				if got[j] != byte(j) {
					return fmt.Sprintf("corrupt at %d of %d", j, k)
				}
			}
		}
	case "args":
		for i := range n {
			s := strings.Repeat(fmt.Sprintf("%05d", i), int(i%20)*50_000+1)
			if b.ItMatrix1_2_0_EchoEchoString(s) != s {
				return fmt.Sprint("corrupt at length ", len(s))
			}
		}
	case "points":
		for i := range n {
			var ms []mixed
			for j := range 200 {
				ms = append(ms, mixedOf(int(i)+j))
			}
			if got := b.ItMatrix1_2_0_EchoEchoMixeds(ms); !reflect.DeepEqual(got, ms) {
				return fmt.Sprint("corrupt in round ", i)
			}
		}
	case "stack": // small strings on a deep, growing stack
		var rec func(d int) string
		rec = func(d int) string {
			var buf [64]byte
			s := string(fmt.Append(append(buf[:0], 'd', ':'), d))
			if b.ItMatrix1_2_0_EchoEchoString(s) != s {
				panic("corrupt stack")
			}
			if d == 0 {
				return ""
			}
			return rec(d-1) + s[:1]
		}
		done := make(chan string)
		for range 20 {
			go func() { done <- rec(int(n)) }()
		}
		for range 20 {
			if got := <-done; got != strings.Repeat("d", int(n)) {
				return "corrupt result"
			}
		}
	default:
		return "unknown kind " + kind
	}
	return "ok"
}
