// SPDX-License-Identifier: Apache-2.0

//go:build !wasip1

package golemlog_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"reflect"
	"sync"
	"testing"

	"github.com/golem-workers/golem-go/golemlog"
	"github.com/golem-workers/golem-go/golemtest"
)

func TestRecordsBecomeLinesWithLevels(t *testing.T) {
	golemtest.Reset(t)
	all := golemlog.NewHandler("shop", &slog.HandlerOptions{Level: golemlog.LevelTrace})
	logger := slog.New(all)
	for _, level := range []slog.Level{
		golemlog.LevelTrace, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError, golemlog.LevelCritical,
	} {
		logger.Log(context.Background(), level, "sold", "article", "two words")
	}
	logger.WithGroup("g").With("a", 1).Info("grouped", "b", 2)
	logger.Info("same keys", "level", 3, "msg", "m", "time", "t")
	line := func(level, message string) golemtest.Line {
		return golemtest.Line{Level: level, Context: "shop", Message: message}
	}
	sold := `sold article="two words"`
	want := []golemtest.Line{
		line("trace", sold), line("debug", sold), line("info", sold), line("warn", sold), line("error", sold),
		line("critical", sold), line("info", "grouped g.a=1 g.b=2"),
		line("info", "same keys level=3 msg=m time=t"),
	}
	if got := golemtest.Logs(); !reflect.DeepEqual(got, want) {
		t.Error(got)
	}
}

func TestWhatIsBelowTheLevelIsNotWritten(t *testing.T) {
	golemtest.Reset(t)
	replace := func(_ []string, attr slog.Attr) slog.Attr {
		if attr.Key == "card" {
			attr.Value = slog.StringValue("***")
		}
		return attr
	}
	logger := slog.New(golemlog.NewJSONHandler("", &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: replace}))
	logger.Info("no")
	logger.Warn("yes", "card", "1234")
	want := []golemtest.Line{{Level: "warn", Message: `{"msg":"yes","card":"***"}`}}
	if got := golemtest.Logs(); !reflect.DeepEqual(got, want) {
		t.Error(got)
	}
}

func TestManyGoroutinesLogAtOnce(t *testing.T) {
	golemtest.Reset(t)
	logger := slog.New(golemlog.NewHandler("c", nil))
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			logger.With("i", i).Info("line")
		}()
	}
	wait.Wait()
	seen := map[string]bool{}
	for _, line := range golemtest.Logs() {
		seen[line.Message] = true
	}
	if len(seen) != 20 || !seen["line i=7"] {
		t.Error(seen)
	}
}

func ExampleInstall() {
	before, writer, flags := slog.Default(), log.Writer(), log.Flags()
	defer func() {
		slog.SetDefault(before)
		log.SetOutput(writer)
		log.SetFlags(flags)
	}()
	golemlog.Install("shop")
	slog.Warn("few left", "article", 7, "count", 2)
	lines := golemtest.Logs()
	fmt.Println(lines[len(lines)-1])
	// Output: {warn shop few left article=7 count=2}
}
