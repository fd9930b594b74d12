// A worker that the tests of the platform ask to do things.
package main

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"os"
	"sort"
	"strings"
	"sync"
	"time"
	"unsafe"

	"it/probe/probe"
)

var total, sent uint64

type impl struct{}

func init() { probe.SetExportsItProbeProbeApi(impl{}) }

func main() {}

func client(worker string) probe.ItProbeStubStubProbeProbeApi {
	uri := fmt.Sprintf("urn:worker:%s/%s", os.Getenv("GOLEM_COMPONENT_ID"), worker)
	return probe.NewProbeApi(probe.GolemRpc0_1_0_TypesUri{Value: uri})
}

func (impl) Add(n uint64) uint64 {
	total += n
	return total
}

func (impl) AddQuietly(n uint64) { total += n }

func (impl) Get() uint64 { return total }

func (impl) Sleep(millis uint64) uint64 {
	time.Sleep(time.Duration(millis) * time.Millisecond)
	return total
}

func (impl) Fail(text string) uint64 { panic(text) }

//go:noinline
func deeper(n uint64) uint64 {
	var pad [64]uint64
	pad[n%64] = n
	return deeper(n+1) + pad[(n+1)%64]
}

func (impl) Recurse() uint64 { return deeper(0) }

func (impl) Allocate() uint64 {
	var all [][]byte
	for {
		all = append(all, make([]byte, 16<<20))
		all[len(all)-1][0] = 1
	}
}

func (impl) NowAndRandom() probe.ExportsItProbeProbeApiTuple2U64U64T {
	var bytes [8]byte
	if _, err := rand.Read(bytes[:]); err != nil {
		panic(err)
	}
	return probe.ExportsItProbeProbeApiTuple2U64U64T{
		F0: uint64(time.Now().UnixNano()),
		F1: binary.LittleEndian.Uint64(bytes[:]),
	}
}

func (impl) MemoryHash() uint64 {
	// The end of memory is not known to Go; every page up to the heap's last one is touched by walking from a low
	// address as far as the heap reaches.
	heap := make([]byte, 64<<10)
	end := uintptr(unsafe.Pointer(unsafe.SliceData(heap))) + uintptr(len(heap))
	hash := uint64(14695981039346656037)
	for at := uintptr(1024); at+8 <= end; at += 8 {
		word := *(*uint64)(unsafe.Add(nil, at))
		hash = (hash ^ word) * 1099511628211
	}
	return hash
}

func (impl) Churn(rounds uint32) uint64 {
	hash := fnv.New64a()
	for round := range rounds {
		words := map[string]int{}
		for i := range 200 {
			words[fmt.Sprintf("%d-%d", round, i*7%101)] += i
		}
		var order []string
		for word := range words {
			order = append(order, word)
		}
		fmt.Fprint(hash, strings.Join(order, ","))
		sort.Strings(order)
		results := make(chan int, 8)
		var group sync.WaitGroup
		for i := range 8 {
			group.Add(1)
			go func() {
				defer group.Done()
				results <- len(order[i%len(order)]) * i
			}()
		}
		group.Wait()
		close(results)
		for result := range results {
			fmt.Fprint(hash, result)
		}
		total += uint64(len(make([]byte, 64<<10)) >> 16)
	}
	return hash.Sum64()
}

func (impl) Env(name string) string { return os.Getenv(name) }

func (impl) Say(text string) { fmt.Println(text) }

func (impl) CallAdd(worker string, n uint64) uint64 {
	other := client(worker)
	defer other.Drop()
	return other.BlockingAdd(n)
}

func (impl) Send(worker string, n uint64) uint64 {
	other := client(worker)
	defer other.Drop()
	sent += n
	other.BlockingAdd(n)
	return sent
}

func (impl) SendQuietly(worker string, n uint64) uint64 {
	other := client(worker)
	defer other.Drop()
	sent += n
	other.AddQuietly(n)
	return sent
}

func (impl) Sent() uint64 { return sent }

func (impl) FanAdd(workers []string, n uint64) []uint64 {
	results := make([]uint64, len(workers))
	var polls []probe.WasiIo0_2_0_PollPollable
	var futures []probe.ItProbeStubStubProbeFutureAddResult
	var slots []int
	for i, worker := range workers {
		other := client(worker)
		defer other.Drop()
		future := other.Add(n)
		defer future.Drop()
		poll := future.Subscribe()
		defer poll.Drop()
		polls, futures, slots = append(polls, poll), append(futures, future), append(slots, i)
	}
	for len(polls) > 0 {
		ready := probe.WasiIo0_2_0_PollPoll(polls)
		// From the last one down, so that removing one does not move those that are still to be removed.
		sort.Slice(ready, func(a, b int) bool { return ready[a] > ready[b] })
		for _, at := range ready {
			result := futures[at].Get()
			if result.IsNone() {
				panic("no result after poll")
			}
			results[slots[at]] = result.Unwrap()
			polls = append(polls[:at], polls[at+1:]...)
			futures = append(futures[:at], futures[at+1:]...)
			slots = append(slots[:at], slots[at+1:]...)
		}
	}
	return results
}

func (impl) Race(worker string, callMillis, timerMillis uint64) string {
	other := client(worker)
	defer other.Drop()
	future := other.Sleep(callMillis)
	defer future.Drop()
	call := future.Subscribe()
	defer call.Drop()
	timer := probe.WasiClocks0_2_0_MonotonicClockSubscribeDuration(timerMillis * 1_000_000)
	defer timer.Drop()
	ready := probe.WasiIo0_2_0_PollPoll([]probe.WasiIo0_2_0_PollPollable{call, timer})
	if ready[0] == 0 {
		return "call"
	}
	return "timer"
}

func (impl) Chain(path []string, n uint64) uint64 {
	if len(path) == 0 {
		total += n
		return total
	}
	other := client(path[0])
	defer other.Drop()
	return other.BlockingChain(path[1:], n)
}

func (impl) CallUri(uri string) uint64 {
	other := probe.NewProbeApi(probe.GolemRpc0_1_0_TypesUri{Value: uri})
	defer other.Drop()
	return other.BlockingAdd(1)
}
