// SPDX-License-Identifier: Apache-2.0

// Package golemlog brings log/slog to the platform: records become lines of the worker's log, with their level, and are
// shown by golem-cli worker oplog and connect. A line that was written once is not written again when a worker is brought
// back.
package golemlog

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/golem-workers/golem-go/internal/platform/logging"
)

// The levels of the platform that slog has no name for.
const (
	// LevelTrace is below slog.LevelDebug.
	LevelTrace = slog.LevelDebug - 4
	// LevelCritical is above slog.LevelError.
	LevelCritical = slog.LevelError + 4
)

// Handler is a slog.Handler that writes to the log of the worker.
type Handler struct {
	context string
	// plain puts the message in front, as it is, instead of quoting it.
	plain bool
	// inner formats into out, which is read under mu.
	inner slog.Handler
	out   *bytes.Buffer
	mu    *sync.Mutex
}

// NewHandler returns a handler that writes records as text, "message key=value". The context is a word for the part of the
// program that logs; it may be empty. Options may be nil; the platform adds time and level itself.
func NewHandler(context string, options *slog.HandlerOptions) *Handler {
	return newHandler(context, options, true, func(out *bytes.Buffer, options *slog.HandlerOptions) slog.Handler {
		return slog.NewTextHandler(out, options)
	})
}

// NewJSONHandler returns a handler that writes records as objects of JSON.
func NewJSONHandler(context string, options *slog.HandlerOptions) *Handler {
	return newHandler(context, options, false, func(out *bytes.Buffer, options *slog.HandlerOptions) slog.Handler {
		return slog.NewJSONHandler(out, options)
	})
}

func newHandler(context string, options *slog.HandlerOptions, plain bool, format func(*bytes.Buffer, *slog.HandlerOptions) slog.Handler) *Handler {
	var own slog.HandlerOptions
	if options != nil {
		own = *options
	}
	replace := own.ReplaceAttr
	own.ReplaceAttr = func(groups []string, attr slog.Attr) slog.Attr {
		if len(groups) == 0 && isBuiltIn(attr, plain) {
			return slog.Attr{}
		}
		if replace != nil {
			return replace(groups, attr)
		}
		return attr
	}
	out := &bytes.Buffer{}
	return &Handler{context: context, plain: plain, inner: format(out, &own), out: out, mu: &sync.Mutex{}}
}

// isBuiltIn finds the attributes of slog itself that are not written: the level, and a message that is put in front.
func isBuiltIn(attr slog.Attr, plain bool) bool {
	switch attr.Key {
	case slog.LevelKey:
		_, ok := attr.Value.Any().(slog.Level)
		return ok
	case slog.MessageKey:
		return plain && attr.Value.Kind() == slog.KindString && attr.Value.String() == ""
	default:
		return false
	}
}

// Install makes a new text handler that of slog's default logger, and of package log.
func Install(context string) {
	slog.SetDefault(slog.New(NewHandler(context, nil)))
}

// Enabled tells whether records of a level are written.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.inner.Enabled(ctx, level)
}

// Handle writes a record.
func (h *Handler) Handle(ctx context.Context, record slog.Record) error {
	line, err := h.format(ctx, record)
	if err != nil {
		return err
	}
	logging.Log(level(record.Level), h.context, line)
	return nil
}

func (h *Handler) format(ctx context.Context, record slog.Record) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.out.Reset()
	own := record.Clone()
	own.Time = time.Time{}
	if h.plain {
		own.Message = ""
	}
	err := h.inner.Handle(ctx, own)
	line := strings.TrimSuffix(h.out.String(), "\n")
	if h.plain {
		line = strings.TrimSuffix(record.Message+" "+line, " ")
	}
	return line, err
}

// WithAttrs returns a handler that adds attributes to every record.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(h.inner.WithAttrs(attrs))
}

// WithGroup returns a handler that puts the attributes of every record into a group.
func (h *Handler) WithGroup(name string) slog.Handler {
	return h.with(h.inner.WithGroup(name))
}

func (h *Handler) with(inner slog.Handler) *Handler {
	return &Handler{context: h.context, plain: h.plain, inner: inner, out: h.out, mu: h.mu}
}

func level(level slog.Level) logging.Level {
	switch {
	case level < slog.LevelDebug:
		return logging.LevelTrace
	case level < slog.LevelInfo:
		return logging.LevelDebug
	case level < slog.LevelWarn:
		return logging.LevelInfo
	case level < slog.LevelError:
		return logging.LevelWarn
	case level < LevelCritical:
		return logging.LevelError
	default:
		return logging.LevelCritical
	}
}
