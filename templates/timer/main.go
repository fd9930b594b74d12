package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/golem-workers/golem-go/golemhost"
	"github.com/golem-workers/golem-go/golemlog"
	"github.com/golem-workers/golem-go/schedule"
	"github.com/golem-workers/golem-go/wit"

	"go_module/internal/golem/api"
)

// job is the state of a worker. A goroutine with a time.Ticker would not do: between invocations a worker stands still. So
// each run schedules the next one, as an invocation of this very worker.
type job struct {
	runs  uint32
	every time.Duration
	// next is the run that is scheduled, if the job is running.
	next *schedule.ID
	// number tells the schedules apart: a run of an old one, which could not be taken back any more, does nothing.
	number uint32
	due    time.Time
}

// Start begins.
func (j *job) Start(_ context.Context, every uint32) error {
	if every == 0 {
		return wit.Error("0 ms is too often")
	}
	j.cancel()
	j.number++
	j.every = time.Duration(every) * time.Millisecond
	j.due = time.Now()
	return j.schedule()
}

// Stop stops.
func (j *job) Stop(context.Context) (bool, error) {
	running := j.next != nil
	j.cancel()
	j.number++
	return running, nil
}

// Runs tells how often the job was done.
func (j *job) Runs(context.Context) (uint32, error) {
	return j.runs, nil
}

// Run does the job.
func (j *job) Run(_ context.Context, number uint32) error {
	if j.next == nil || number != j.number {
		return nil
	}
	j.runs++
	slog.Info("run", "number", j.runs)
	return j.schedule()
}

// schedule asks for the next run. Times are counted from the start, so the job does not drift. What was missed while the
// server was away is left out.
func (j *job) schedule() error {
	now := time.Now()
	for j.due = j.due.Add(j.every); j.due.Before(now); {
		j.due = j.due.Add(now.Sub(j.due).Truncate(j.every) + j.every)
	}
	self := golemhost.GetSelfMetadata().WorkerId.URI()
	next, err := schedule.At(self, j.due, "api_function.{run}", j.number)
	if err != nil {
		j.next = nil
		return wit.Error(err.Error())
	}
	j.next = &next
	return nil
}

func (j *job) cancel() {
	if j.next != nil {
		j.next.Cancel()
		j.next = nil
	}
}

func init() {
	golemlog.Install("job")
	api.Export(&job{})
}

// main is never called: a component only answers calls of its exports.
func main() {}
