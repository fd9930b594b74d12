// SPDX-License-Identifier: Apache-2.0

//go:build !wasip1

package double

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/golem-workers/golem-go/internal/platform/apihost"
	"github.com/golem-workers/golem-go/internal/platform/poll"
	"github.com/golem-workers/golem-go/internal/platform/workerhost"
	"github.com/golem-workers/golem-go/wit"
)

// Jump is what a test panics with where a worker would go back in its log.
type Jump struct {
	To uint64
}

// Error says what it is when nobody catches it.
func (j Jump) Error() string {
	return fmt.Sprintf("the worker goes back to oplog index %d, which only an infallible transaction can do in a test", j.To)
}

type promise struct {
	done chan struct{}
	data []byte
}

// Update is an update that was asked for.
type Update struct {
	Worker  apihost.WorkerID
	Version uint64
	Mode    apihost.UpdateMode
}

// Schedule is an invocation that was asked for.
type Schedule struct {
	ID       workerhost.ScheduleID
	Function string
	Params   []workerhost.WitValue
}

// Host is the state of the platform as one worker sees it.
type Host struct {
	index       uint64
	promises    map[apihost.PromiseID]*promise
	level       apihost.PersistenceLevel
	idempotent  bool
	retry       apihost.RetryPolicy
	deadline    *uint64
	CallTimeout *uint64
	Workers     []apihost.WorkerMetadata
	Updates     []Update
	Schedules   []Schedule
	pages       map[*apihost.GetWorkers]bool
}

var (
	mu   sync.Mutex
	host = newHost()

	resets []func()
)

func newHost() *Host {
	jitter := 0.15
	return &Host{
		promises:   map[apihost.PromiseID]*promise{},
		level:      apihost.PersistenceLevelSmart{},
		idempotent: true,
		retry: apihost.RetryPolicy{
			MaxAttempts: 3, MinDelay: 100e6, MaxDelay: 1e9, Multiplier: 3, MaxJitterFactor: &jitter,
		},
		pages: map[*apihost.GetWorkers]bool{},
	}
}

// Reset forgets everything.
func Reset() {
	mu.Lock()
	defer mu.Unlock()
	host = newHost()
	for _, forget := range resets {
		forget()
	}
}

// OnReset has a package forget, too, when Reset is called.
func OnReset(forget func()) {
	mu.Lock()
	defer mu.Unlock()
	resets = append(resets, forget)
}

// With shows the state, locked.
func With(show func(*Host)) {
	mu.Lock()
	defer mu.Unlock()
	show(host)
}

// SetDeadline sets what the invocation has as its deadline; nil is none.
func SetDeadline(deadline *uint64) {
	With(func(h *Host) { h.deadline = deadline })
}

// Self is the worker that the test plays.
func Self() apihost.WorkerID {
	return apihost.WorkerID{WorkerName: "test"}
}

// PromiseDone returns a channel that is closed when the promise has its value, nil if there is no such promise.
func PromiseDone(id apihost.PromiseID) <-chan struct{} {
	mu.Lock()
	defer mu.Unlock()
	if p := host.promises[id]; p != nil {
		return p.done
	}
	return nil
}

func (h *Host) next() uint64 {
	h.index++
	return h.index
}

func (h *Host) metadata() apihost.WorkerMetadata {
	var env []wit.Tuple2[string, string]
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		env = append(env, wit.Tuple2[string, string]{F0: name, F1: value})
	}
	return apihost.WorkerMetadata{WorkerID: Self(), Args: os.Args, Env: env, Status: apihost.WorkerStatusRunning}
}

func (h *Host) promise(id apihost.PromiseID) *promise {
	p := h.promises[id]
	if p == nil {
		panic(fmt.Sprintf("promise %d does not exist", id.OplogIdx))
	}
	return p
}

// locked gives the platform's function f the state.
func locked[T any](f func(*Host) T) T {
	mu.Lock()
	defer mu.Unlock()
	return f(host)
}

func init() {
	apihost.FakeCreatePromise = func() apihost.PromiseID {
		return locked(func(h *Host) apihost.PromiseID {
			id := apihost.PromiseID{WorkerID: Self(), OplogIdx: h.next()}
			h.promises[id] = &promise{done: make(chan struct{})}
			return id
		})
	}
	apihost.FakeAwaitPromise = func(id apihost.PromiseID) []byte {
		p := locked(func(h *Host) *promise { return h.promise(id) })
		<-p.done
		return p.data
	}
	apihost.FakeCompletePromise = func(id apihost.PromiseID, data []byte) bool {
		return locked(func(h *Host) bool {
			p := h.promise(id)
			select {
			case <-p.done:
				return false
			default:
				p.data = append([]byte{}, data...)
				close(p.done)
				return true
			}
		})
	}
	apihost.FakeDeletePromise = func(id apihost.PromiseID) {
		With(func(h *Host) { delete(h.promises, id) })
	}
	workerhost.FakePollPromise = func(id apihost.PromiseID) *[]byte {
		return locked(func(h *Host) *[]byte {
			p := h.promises[id]
			if p == nil {
				return nil
			}
			select {
			case <-p.done:
				return &p.data
			default:
				return nil
			}
		})
	}
	workerhost.FakeSubscribePromise = func(apihost.PromiseID) *poll.Pollable { return &poll.Pollable{} }
	apihost.FakeGetSelfURI = func(function string) apihost.URI {
		return apihost.URI{Value: "urn:worker:00000000-0000-0000-0000-000000000000/test/" + function}
	}
	initLog()
	initWorkers()
}

func initLog() {
	apihost.FakeGetOplogIndex = func() uint64 { return locked((*Host).next) }
	apihost.FakeSetOplogIndex = func(index uint64) { panic(Jump{To: index}) }
	apihost.FakeOplogCommit = func(uint8) {}
	apihost.FakeMarkBeginOperation = func() uint64 { return locked((*Host).next) }
	apihost.FakeMarkEndOperation = func(uint64) { With(func(h *Host) { h.next() }) }
	apihost.FakeGetOplogPersistenceLevel = func() apihost.PersistenceLevel {
		return locked(func(h *Host) apihost.PersistenceLevel { return h.level })
	}
	apihost.FakeSetOplogPersistenceLevel = func(level apihost.PersistenceLevel) {
		With(func(h *Host) { h.level = level })
	}
	apihost.FakeGetIdempotenceMode = func() bool { return locked(func(h *Host) bool { return h.idempotent }) }
	apihost.FakeSetIdempotenceMode = func(idempotent bool) { With(func(h *Host) { h.idempotent = idempotent }) }
	apihost.FakeGetRetryPolicy = func() apihost.RetryPolicy {
		return locked(func(h *Host) apihost.RetryPolicy { return h.retry })
	}
	apihost.FakeSetRetryPolicy = func(policy apihost.RetryPolicy) { With(func(h *Host) { h.retry = policy }) }
	apihost.FakeGenerateIdempotencyKey = func() apihost.UUID {
		var bytes [16]byte
		// It never fails: a system without randomness ends the program.
		_, _ = rand.Read(bytes[:])
		bytes[6] = bytes[6]&0x0f | 0x40
		bytes[8] = bytes[8]&0x3f | 0x80
		return apihost.UUID{HighBits: binary.BigEndian.Uint64(bytes[:8]), LowBits: binary.BigEndian.Uint64(bytes[8:])}
	}
}

func initWorkers() {
	apihost.FakeGetSelfMetadata = func() apihost.WorkerMetadata { return locked((*Host).metadata) }
	apihost.FakeGetWorkerMetadata = func(id apihost.WorkerID) *apihost.WorkerMetadata {
		return locked(func(h *Host) *apihost.WorkerMetadata {
			for _, metadata := range append([]apihost.WorkerMetadata{h.metadata()}, h.Workers...) {
				if metadata.WorkerID == id {
					return &metadata
				}
			}
			return nil
		})
	}
	apihost.FakeNewGetWorkers = func(apihost.ComponentID, *apihost.WorkerAnyFilter, bool) *apihost.GetWorkers {
		return &apihost.GetWorkers{}
	}
	// All workers are one page; filters are not looked at.
	apihost.FakeGetWorkersGetNext = func(pages *apihost.GetWorkers) *[]apihost.WorkerMetadata {
		return locked(func(h *Host) *[]apihost.WorkerMetadata {
			if h.pages[pages] {
				delete(h.pages, pages)
				return nil
			}
			h.pages[pages] = true
			page := append([]apihost.WorkerMetadata{h.metadata()}, h.Workers...)
			return &page
		})
	}
	apihost.FakeUpdateWorker = func(id apihost.WorkerID, version uint64, mode apihost.UpdateMode) {
		With(func(h *Host) { h.Updates = append(h.Updates, Update{id, version, mode}) })
	}
	workerhost.FakeGetDeadline = func() *uint64 { return locked(func(h *Host) *uint64 { return h.deadline }) }
	workerhost.FakeSetCallTimeout = func(timeout *uint64) { With(func(h *Host) { h.CallTimeout = timeout }) }
	workerhost.FakeScheduleInvocation = func(worker workerhost.URI, at uint64, function string, params []workerhost.WitValue) wit.Result[workerhost.ScheduleID, workerhost.RPCError] {
		return locked(func(h *Host) wit.Result[workerhost.ScheduleID, workerhost.RPCError] {
			id := workerhost.ScheduleID{Worker: worker, Due: at, ID: h.next()}
			h.Schedules = append(h.Schedules, Schedule{id, function, params})
			return wit.Ok[workerhost.ScheduleID, workerhost.RPCError](id)
		})
	}
	workerhost.FakeCancelScheduled = func(id workerhost.ScheduleID) bool {
		return locked(func(h *Host) bool {
			for i, schedule := range h.Schedules {
				if schedule.ID == id {
					h.Schedules = append(h.Schedules[:i:i], h.Schedules[i+1:]...)
					return true
				}
			}
			return false
		})
	}
}
