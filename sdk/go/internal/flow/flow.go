// SPDX-License-Identifier: Apache-2.0

//go:build wasip1

// Package flow makes Go readers and writers of the streams of the platform. It has no content outside a worker.
package flow

import (
	"context"
	"errors"
	"io"

	"github.com/golem-workers/golem-go/internal/platform/streams"
	"github.com/golem-workers/golem-go/rpc"
)

// ReadBytes is how much is asked for at once: what a copy of the standard library has room for.
const ReadBytes = 32 << 10

// Reader reads a stream; while nothing is there, only the reading goroutine waits. It closes the stream at its end.
type Reader struct {
	ctx  context.Context
	in   *streams.InputStream
	left []byte
	err  error
}

// NewReader returns a reader of a stream, which it owns from here on.
func NewReader(ctx context.Context, in *streams.InputStream) *Reader {
	return &Reader{ctx: ctx, in: in}
}

// Read reads what is there, up to the length of p.
func (r *Reader) Read(p []byte) (int, error) {
	for len(r.left) == 0 && r.err == nil && len(p) > 0 {
		r.left, r.err = r.next(max(len(p), ReadBytes))
		if r.err != nil {
			r.in.Close()
		}
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	if n == 0 && len(p) > 0 {
		return 0, r.err
	}
	return n, nil
}

func (r *Reader) next(length int) ([]byte, error) {
	data, err := r.in.Read(uint64(length))
	if err != nil {
		return nil, reason(err, io.EOF)
	}
	if len(data) == 0 {
		ready := r.in.Subscribe()
		defer ready.Close()
		return nil, rpc.Wait(r.ctx, ready)
	}
	return data, nil
}

// Close gives the stream back.
func (r *Reader) Close() {
	if r.err == nil {
		r.err = errClosed
		r.left = nil
		r.in.Close()
	}
}

var errClosed = errors.New("the stream was closed")

// Writer writes a stream; while there is no room, only the writing goroutine waits.
type Writer struct {
	ctx context.Context
	out *streams.OutputStream
}

// NewWriter returns a writer of a stream, which it owns from here on.
func NewWriter(ctx context.Context, out *streams.OutputStream) *Writer {
	return &Writer{ctx, out}
}

// Write writes all of p.
func (w *Writer) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		room, err := w.out.CheckWrite()
		if err != nil {
			return written, reason(err, io.ErrClosedPipe)
		}
		if room == 0 {
			ready := w.out.Subscribe()
			err := rpc.Wait(w.ctx, ready)
			ready.Close()
			if err != nil {
				return written, err
			}
			continue
		}
		part := p[written:]
		if uint64(len(part)) > room {
			part = part[:room]
		}
		if err := w.out.Write(part); err != nil {
			return written, reason(err, io.ErrClosedPipe)
		}
		written += len(part)
	}
	return written, nil
}

// Close flushes the stream and gives it back.
func (w *Writer) Close() error {
	err := w.out.BlockingFlush()
	w.out.Close()
	if err != nil {
		return reason(err, nil)
	}
	return nil
}

// Abandon gives the stream back as it is.
func (w *Writer) Abandon() {
	w.out.Close()
}

// reason turns a failure of a stream into a Go error; closed is that of a stream that has ended.
func reason(err error, closed error) error {
	var failed streams.StreamErrorLastOperationFailed
	if errors.As(err, &failed) {
		defer failed.Value.Close()
		return errors.New(failed.Value.ToDebugString())
	}
	return closed
}
