// SPDX-License-Identifier: Apache-2.0

// Package golemhost lets a worker ask its host: promises, other workers, and how its own history is kept.
//
// Everything here is durable: what was asked and answered is in the worker's log, and a worker that is brought back sees
// the same answers again. Inside a worker the functions call the platform; elsewhere, that is in go test, doubles in the
// memory of the process answer, see package golemtest.
//
// The names are those of Golem's Go SDK 1.1, so source that was written for it compiles with only another import path.
// What has a context.Context, an error or an iterator is new here.
package golemhost
