// SPDX-License-Identifier: Apache-2.0

//go:build !wasip1

package golemtest_test

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/golem-workers/golem-go/golemhost"
	"github.com/golem-workers/golem-go/golemlog"
	"github.com/golem-workers/golem-go/golemtest"
	"github.com/golem-workers/golem-go/keyvalue"
	"github.com/golem-workers/golem-go/schedule"
)

func TestAResetForgetsEverything(t *testing.T) {
	golemtest.Reset(t)
	promise := golemhost.NewPromise()
	bucket, _ := keyvalue.Open("b")
	_ = bucket.Set("k", nil)
	slog.New(golemlog.NewHandler("", nil)).Info("line")
	_, _ = schedule.In("worker:///c/w", 0, "f")
	golemhost.SetIdempotenceMode(false)
	golemtest.Reset(t)
	found, _ := bucket.Exists("k")
	if _, ok := golemhost.PollPromise(promise); ok || found || len(golemtest.Logs()) > 0 || len(golemtest.Schedules()) > 0 {
		t.Error("something is left")
	}
	if !golemhost.GetIdempotenceMode() {
		t.Error("the mode is left")
	}
}

// A test hands its *testing.T.
type noTest struct{}

func (noTest) Helper()        {}
func (noTest) Cleanup(func()) {}

func ExampleReset() {
	golemtest.Reset(noTest{})
	logger := slog.New(golemlog.NewHandler("shop", nil))
	logger.Warn("few left", "article", 7)
	fmt.Println(golemtest.Logs())
	// Output: [{warn shop few left article=7}]
}
