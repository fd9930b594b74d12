// SPDX-License-Identifier: Apache-2.0

// Package snapshot hands the state of a worker over to another version of its component: an update "by snapshot" asks the
// old version to save and the new one to load. A program that imports this package exports golem:api/save-snapshot and
// golem:api/load-snapshot; call JSON or Register in an init function.
//
// Where an automatic update repeats the whole history, and so needs a new version that does the same as the old one, a
// snapshot needs only two functions that understand each other.
package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
)

// ErrNotRegistered is the error of saving or loading when the program has not said how.
var ErrNotRegistered = errors.New("call snapshot.JSON or snapshot.Register in an init function")

var (
	mu         sync.Mutex
	registered struct {
		save func(context.Context) ([]byte, error)
		load func(context.Context, []byte) error
	}
)

// Register says how the state is saved and loaded. If save fails the worker stays at its version, and if load fails too.
func Register(save func(context.Context) ([]byte, error), load func(context.Context, []byte) error) {
	mu.Lock()
	defer mu.Unlock()
	registered.save, registered.load = save, load
}

// JSON saves and loads what state points to as JSON: its exported fields. Loading replaces all of it.
func JSON[T any](state *T) {
	Register(
		func(context.Context) ([]byte, error) { return json.Marshal(state) },
		func(_ context.Context, data []byte) error {
			var loaded T
			if err := json.Unmarshal(data, &loaded); err != nil {
				return err
			}
			*state = loaded
			return nil
		},
	)
}

// Save returns the state as the next version would get it.
func Save(ctx context.Context) ([]byte, error) {
	mu.Lock()
	save := registered.save
	mu.Unlock()
	if save == nil {
		return nil, ErrNotRegistered
	}
	return save(ctx)
}

// Load takes a state over.
func Load(ctx context.Context, data []byte) error {
	mu.Lock()
	load := registered.load
	mu.Unlock()
	if load == nil {
		return ErrNotRegistered
	}
	return load(ctx, data)
}
