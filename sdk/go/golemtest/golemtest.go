// SPDX-License-Identifier: Apache-2.0

//go:build !wasip1

package golemtest

import (
	"encoding/binary"
	"time"

	"github.com/golem-workers/golem-go/golemhost"
	"github.com/golem-workers/golem-go/internal/double"
	"github.com/golem-workers/golem-go/internal/platform/apihost"
	"github.com/golem-workers/golem-go/wit"
	"github.com/golem-workers/golem-go/worker"
)

// TB is what is needed of a *testing.T or *testing.B.
type TB interface {
	Helper()
	Cleanup(func())
}

// Reset gives the test a platform on which nothing has happened, and takes it away in the end. Tests that use it cannot run
// in parallel: a program has one platform.
func Reset(t TB) {
	t.Helper()
	double.Reset()
	t.Cleanup(double.Reset)
}

// SetDeadline gives the invocation that the test plays a deadline; the zero time is none.
func SetDeadline(deadline time.Time) {
	if deadline.IsZero() {
		double.SetDeadline(nil)
		return
	}
	nanoseconds := uint64(deadline.UnixNano())
	double.SetDeadline(&nanoseconds)
}

// AddWorker makes the platform know another worker.
func AddWorker(metadata golemhost.WorkerMetadata) {
	id := metadata.WorkerId.ComponentID
	known := apihost.WorkerMetadata{
		WorkerID: apihost.WorkerID{
			ComponentID: apihost.ComponentID{UUID: apihost.UUID{
				HighBits: binary.BigEndian.Uint64(id[:8]),
				LowBits:  binary.BigEndian.Uint64(id[8:]),
			}},
			WorkerName: metadata.WorkerId.WorkerName,
		},
		Args:             metadata.Args,
		Status:           apihost.WorkerStatus(metadata.Status),
		ComponentVersion: metadata.ComponentVersion,
		RetryCount:       metadata.RetryCount,
	}
	for _, variable := range metadata.Env {
		known.Env = append(known.Env, wit.Tuple2[string, string]{F0: variable.Name, F1: variable.Value})
	}
	double.With(func(h *double.Host) { h.Workers = append(h.Workers, known) })
}

// Scheduled is an invocation that the program has asked for.
type Scheduled struct {
	Worker   worker.URI
	At       time.Time
	Function string
	// Params is the number of parameters.
	Params int
}

// Schedules returns the invocations that the program has asked for and not taken back.
func Schedules() []Scheduled {
	var all []Scheduled
	double.With(func(h *double.Host) {
		for _, s := range h.Schedules {
			all = append(all, Scheduled{
				Worker:   worker.URI(s.ID.Worker.Value),
				At:       time.Unix(0, int64(s.ID.Due)),
				Function: s.Function,
				Params:   len(s.Params),
			})
		}
	})
	return all
}

// CallTimeout returns what golemhost.SetCallTimeout has set, 0 if nothing.
func CallTimeout() time.Duration {
	var timeout time.Duration
	double.With(func(h *double.Host) {
		if h.CallTimeout != nil {
			timeout = time.Duration(*h.CallTimeout)
		}
	})
	return timeout
}

// Line is a line of the worker's log.
type Line struct {
	// Level is trace, debug, info, warn, error or critical.
	Level, Context, Message string
}

// Logs returns what was logged through package golemlog.
func Logs() []Line {
	var lines []Line
	for _, line := range double.Logs() {
		lines = append(lines, Line(line))
	}
	return lines
}
