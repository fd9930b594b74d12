// SPDX-License-Identifier: Apache-2.0

package golemhost

import (
	"time"

	"github.com/golem-workers/golem-go/internal/platform/apihost"
)

// PersistenceLevel is how much of what a worker does is kept in its log.
type PersistenceLevel int

// The levels of persistence.
const (
	// PersistenceLevelPersistNothing keeps nothing: what is done meanwhile is done again when the worker is brought back.
	PersistenceLevelPersistNothing PersistenceLevel = iota
	// PersistenceLevelPersistRemoteSideEffects keeps what has effects outside.
	PersistenceLevelPersistRemoteSideEffects
	// PersistenceLevelSmart lets the platform decide. It is what a worker starts with.
	PersistenceLevelSmart
)

// SetPersistenceLevel sets the level from here on.
func SetPersistenceLevel(level PersistenceLevel) {
	switch level {
	case PersistenceLevelPersistNothing:
		apihost.SetOplogPersistenceLevel(apihost.PersistenceLevelPersistNothing{})
	case PersistenceLevelPersistRemoteSideEffects:
		apihost.SetOplogPersistenceLevel(apihost.PersistenceLevelPersistRemoteSideEffects{})
	case PersistenceLevelSmart:
		apihost.SetOplogPersistenceLevel(apihost.PersistenceLevelSmart{})
	default:
		panic("golemhost: no such persistence level")
	}
}

// GetPersistenceLevel returns the level.
func GetPersistenceLevel() PersistenceLevel {
	switch apihost.GetOplogPersistenceLevel().(type) {
	case apihost.PersistenceLevelPersistNothing:
		return PersistenceLevelPersistNothing
	case apihost.PersistenceLevelPersistRemoteSideEffects:
		return PersistenceLevelPersistRemoteSideEffects
	default:
		return PersistenceLevelSmart
	}
}

// WithPersistenceLevel runs f at a level.
func WithPersistenceLevel[T any](level PersistenceLevel, f func() (T, error)) (T, error) {
	return with(level, GetPersistenceLevel, SetPersistenceLevel, f)
}

// GetIdempotenceMode tells whether a remote write whose outcome is unknown may be sent again.
func GetIdempotenceMode() bool {
	return apihost.GetIdempotenceMode()
}

// SetIdempotenceMode sets whether a remote write whose outcome is unknown may be sent again. If not, such a call fails.
func SetIdempotenceMode(idempotent bool) {
	apihost.SetIdempotenceMode(idempotent)
}

// WithIdempotenceMode runs f in a mode.
func WithIdempotenceMode[T any](idempotent bool, f func() (T, error)) (T, error) {
	return with(idempotent, GetIdempotenceMode, SetIdempotenceMode, f)
}

// RetryPolicy is how often, and after what time, a worker that fails is tried again.
type RetryPolicy struct {
	MaxAttempts uint32
	MinDelay    time.Duration
	MaxDelay    time.Duration
	// Multiplier is how much longer each delay is than the last one.
	Multiplier float64
	// MaxJitterFactor, if there is one, is by which part of itself a delay is made longer at random, at most.
	MaxJitterFactor *float64
}

// GetRetryPolicy returns the policy of this worker.
func GetRetryPolicy() RetryPolicy {
	policy := apihost.GetRetryPolicy()
	return RetryPolicy{
		MaxAttempts:     policy.MaxAttempts,
		MinDelay:        time.Duration(policy.MinDelay),
		MaxDelay:        time.Duration(policy.MaxDelay),
		Multiplier:      policy.Multiplier,
		MaxJitterFactor: policy.MaxJitterFactor,
	}
}

// SetRetryPolicy sets the policy of this worker from here on.
func SetRetryPolicy(policy RetryPolicy) {
	apihost.SetRetryPolicy(apihost.RetryPolicy{
		MaxAttempts:     policy.MaxAttempts,
		MinDelay:        uint64(max(policy.MinDelay, 0)),
		MaxDelay:        uint64(max(policy.MaxDelay, 0)),
		Multiplier:      policy.Multiplier,
		MaxJitterFactor: policy.MaxJitterFactor,
	})
}

// WithRetryPolicy runs f under a policy.
func WithRetryPolicy[T any](policy RetryPolicy, f func() (T, error)) (T, error) {
	return with(policy, GetRetryPolicy, SetRetryPolicy, f)
}

// with runs f with another mode. After a panic the mode goes back as well: somebody may recover.
func with[M, T any](mode M, get func() M, set func(M), f func() (T, error)) (T, error) {
	before := get()
	defer set(before)
	set(mode)
	return f()
}
