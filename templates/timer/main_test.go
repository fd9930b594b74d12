package main

import (
	"context"
	"testing"

	"github.com/golem-workers/golem-go/golemtest"
)

func TestEachRunSchedulesTheNext(t *testing.T) {
	golemtest.Reset(t)
	ctx := context.Background()
	j := &job{}
	if err := j.Start(ctx, 0); err == nil {
		t.Error("a job without a pause was started")
	}
	if err := j.Start(ctx, 3_600_000); err != nil {
		t.Fatal(err)
	}
	first := golemtest.Schedules()
	if len(first) != 1 || first[0].Function != "api_function.{run}" {
		t.Fatal(first)
	}
	if err := j.Run(ctx, j.number-1); err != nil || j.runs != 0 {
		t.Fatal("a run of an old schedule was done:", err)
	}
	if err := j.Run(ctx, j.number); err != nil || j.runs != 1 {
		t.Fatal(j.runs, err)
	}
	all := golemtest.Schedules()
	if gap := all[len(all)-1].At.Sub(first[0].At); gap != j.every {
		t.Error("the next run is after", gap)
	}
	if running, err := j.Stop(ctx); !running || err != nil {
		t.Error(running, err)
	}
	if running, err := j.Stop(ctx); running || err != nil {
		t.Error(running, err)
	}
	if err := j.Run(ctx, j.number); err != nil || j.runs != 1 {
		t.Error("it ran on after it was stopped:", j.runs, err)
	}
}
