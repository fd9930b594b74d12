// SPDX-License-Identifier: Apache-2.0

//go:build !wasip1

package double

import (
	"fmt"
	"os"

	"github.com/golem-workers/golem-go/internal/platform/logging"
)

// Line is a line of the log.
type Line struct {
	Level, Context, Message string
}

var logs []Line

// Logs returns the lines that were written.
func Logs() []Line {
	mu.Lock()
	defer mu.Unlock()
	return append([]Line(nil), logs...)
}

func init() {
	OnReset(func() { logs = nil })
	logging.FakeLog = func(level logging.Level, context, message string) {
		mu.Lock()
		logs = append(logs, Line{level.String(), context, message})
		mu.Unlock()
		// A test that fails shows it.
		_, _ = fmt.Fprintln(os.Stderr, level, context, message)
	}
}
