// SPDX-License-Identifier: Apache-2.0

//go:build !wasip1

package golemhost_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/golem-workers/golem-go/golemhost"
	"github.com/golem-workers/golem-go/golemhost/transaction"
	golemhttp "github.com/golem-workers/golem-go/net/http"
	"github.com/golem-workers/golem-go/os"
	"github.com/golem-workers/golem-go/std"
)

// What source for the SDK of Golem 1.1 calls, with the types that it had there. That this compiles is the test.
var (
	_ func() golemhost.PromiseID                                                         = golemhost.NewPromise
	_ func(golemhost.PromiseID) []byte                                                   = golemhost.AwaitPromise
	_ func(golemhost.PromiseID, any) error                                               = golemhost.AwaitPromiseJSON
	_ func(golemhost.PromiseID, []byte) bool                                             = golemhost.CompletePromise
	_ func(golemhost.PromiseID, any) (bool, error)                                       = golemhost.CompletePromiseJSON
	_ func(golemhost.PromiseID)                                                          = golemhost.DeletePromise
	_ func() golemhost.WorkerMetadata                                                    = golemhost.GetSelfMetadata
	_ func(string) string                                                                = golemhost.GetSelfURI
	_ func(golemhost.WorkerID) *golemhost.WorkerMetadata                                 = golemhost.GetWorkerMetadata
	_ func(golemhost.WorkerID, uint64, golemhost.UpdateMode)                             = golemhost.UpdateWorker
	_ func(uint8)                                                                        = golemhost.OpLogCommit
	_ func() golemhost.OpLogIndex                                                        = golemhost.MarkBeginOperation
	_ func(golemhost.OpLogIndex)                                                         = golemhost.MarkEndOperation
	_ func(func() (int, error)) (int, error)                                             = golemhost.Atomically[int]
	_ func() bool                                                                        = golemhost.GetIdempotenceMode
	_ func(bool)                                                                         = golemhost.SetIdempotenceMode
	_ func(bool, func() (int, error)) (int, error)                                       = golemhost.WithIdempotenceMode[int]
	_ func() golemhost.PersistenceLevel                                                  = golemhost.GetPersistenceLevel
	_ func(golemhost.PersistenceLevel)                                                   = golemhost.SetPersistenceLevel
	_ func() golemhost.RetryPolicy                                                       = golemhost.GetRetryPolicy
	_ func(golemhost.RetryPolicy)                                                        = golemhost.SetRetryPolicy
	_ func() golemhost.UUID                                                              = golemhost.GenerateIdempotencyKey
	_ func(string) string                                                                = os.Getenv
	_ func(string) (string, bool)                                                        = os.LookupEnv
	_ func() []string                                                                    = os.GetArgs
	_ []func()                                                                           = []func(){os.InitStd, os.InitStdArgs, os.InitStdEnv}
	_ []func()                                                                           = []func(){golemhttp.InitStd, golemhttp.InitStdDefaultClientTransport}
	_ http.RoundTripper                                                                  = &golemhttp.WasiHttpTransport{}
	_ func(std.Packages)                                                                 = std.Init
	_ func(golemhost.ComponentID, *golemhost.WorkerAnyFilter) []golemhost.WorkerMetadata = golemhost.GetWorkers

	_ func(golemhost.PersistenceLevel, func() (int, error)) (int, error) = golemhost.WithPersistenceLevel[int]
	_ func(golemhost.RetryPolicy, func() (int, error)) (int, error)      = golemhost.WithRetryPolicy[int]

	_ func(func(transaction.FallibleTx) (int, error)) (int, error)                                = transaction.Fallible[int]
	_ func(func(transaction.InfallibleTx) int) int                                                = transaction.Infallible[int]
	_ func(transaction.FallibleTx, transaction.Operation[string, int], string) (int, error)       = transaction.ExecuteFallible[string, int]
	_ func(transaction.InfallibleTx, transaction.Operation[string, int], string) int              = transaction.ExecuteInfallible[string, int]
	_ func(func(string) (int, error), func(string, int) error) transaction.Operation[string, int] = transaction.NewOperation[string, int]

	_ = golemhost.RetryPolicy{MaxAttempts: 1, MinDelay: time.Second, MaxDelay: time.Second, Multiplier: 2}
	_ = golemhost.WorkerFilter{
		NameComparator: golemhost.StringFilterComparatorNotLike, StatusComparator: golemhost.FilterComparatorLess,
		Env: &golemhost.WorkerEnvFilter{Name: "n", Value: "v"},
	}
	_ = std.Packages{Os: true, NetHttp: true}
)

// foreignUUID is what other packages have: an array of 16 bytes.
type foreignUUID [16]byte

func TestForeignIdentifiersConvert(t *testing.T) {
	foreign := foreignUUID{15: 1}
	id := golemhost.WorkerID{ComponentID: golemhost.ComponentID(foreign), WorkerName: "w"}
	if foreignUUID(id.ComponentID) != foreign || id.ComponentID.String() != "00000000-0000-0000-0000-000000000001" {
		t.Error(id.ComponentID)
	}
}
