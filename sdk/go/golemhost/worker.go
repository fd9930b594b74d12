// SPDX-License-Identifier: Apache-2.0

package golemhost

import (
	"iter"
	"strings"

	"github.com/golem-workers/golem-go/internal/platform/apihost"
	"github.com/golem-workers/golem-go/worker"
)

// ComponentID names a component.
type ComponentID UUID

// String writes the UUID.
func (id ComponentID) String() string {
	return UUID(id).String()
}

// WorkerID names a worker.
type WorkerID struct {
	ComponentID ComponentID
	WorkerName  string
}

// URI returns the form in which calls name the worker.
func (id WorkerID) URI() worker.URI {
	return worker.ID(id.ComponentID.String(), id.WorkerName)
}

func newWorkerID(id apihost.WorkerID) WorkerID {
	return WorkerID{ComponentID: ComponentID(newUUID(id.ComponentID.UUID)), WorkerName: id.WorkerName}
}

func (id WorkerID) host() apihost.WorkerID {
	return apihost.WorkerID{ComponentID: id.ComponentID.host(), WorkerName: id.WorkerName}
}

func (id ComponentID) host() apihost.ComponentID {
	return apihost.ComponentID{UUID: UUID(id).host()}
}

// WorkerStatus is what a worker is doing.
type WorkerStatus int

// The states of a worker.
const (
	// WorkerStatusRunning: it executes an invocation.
	WorkerStatusRunning WorkerStatus = iota
	// WorkerStatusIdle: it has nothing to do.
	WorkerStatusIdle
	// WorkerStatusSuspended: it waits, for a time or a promise.
	WorkerStatusSuspended
	// WorkerStatusInterrupted: somebody stopped it.
	WorkerStatusInterrupted
	// WorkerStatusRetrying: it failed and will be tried again.
	WorkerStatusRetrying
	// WorkerStatusFailed: it failed and takes no invocations.
	WorkerStatusFailed
	// WorkerStatusExited: it ended itself.
	WorkerStatusExited
)

// String names the status.
func (s WorkerStatus) String() string {
	return apihost.WorkerStatus(s).String()
}

// WorkerMetadataEnvVar is a variable of a worker's environment.
type WorkerMetadataEnvVar struct {
	Name  string
	Value string
}

// WorkerMetadata is what the platform knows of a worker.
type WorkerMetadata struct {
	WorkerId         WorkerID
	Args             []string
	Env              []WorkerMetadataEnvVar
	Status           WorkerStatus
	ComponentVersion uint64
	RetryCount       uint64
}

func newWorkerMetadata(metadata apihost.WorkerMetadata) WorkerMetadata {
	env := make([]WorkerMetadataEnvVar, len(metadata.Env))
	for i, pair := range metadata.Env {
		env[i] = WorkerMetadataEnvVar{Name: pair.F0, Value: pair.F1}
	}
	return WorkerMetadata{
		WorkerId:         newWorkerID(metadata.WorkerID),
		Args:             metadata.Args,
		Env:              env,
		Status:           WorkerStatus(metadata.Status),
		ComponentVersion: metadata.ComponentVersion,
		RetryCount:       metadata.RetryCount,
	}
}

// GetSelfMetadata returns what the platform knows of this worker.
func GetSelfMetadata() WorkerMetadata {
	return newWorkerMetadata(apihost.GetSelfMetadata())
}

// GetSelfURI returns the URN of one of the functions of this worker, or with "" that of the worker.
func GetSelfURI(functionName string) string {
	uri := apihost.GetSelfURI(functionName).Value
	if functionName == "" {
		uri = strings.TrimSuffix(uri, "/")
	}
	return uri
}

// GetWorkerMetadata returns what the platform knows of a worker; nil if there is none of this name.
func GetWorkerMetadata(id WorkerID) *WorkerMetadata {
	found := apihost.GetWorkerMetadata(id.host())
	if found == nil {
		return nil
	}
	metadata := newWorkerMetadata(*found)
	return &metadata
}

// GetWorkers returns the workers of a component that the filter lets pass; nil is no filter. A component may have very many
// workers: Workers reads them page by page.
func GetWorkers(component ComponentID, filter *WorkerAnyFilter) []WorkerMetadata {
	var all []WorkerMetadata
	for metadata := range Workers(component, filter) {
		all = append(all, metadata)
	}
	return all
}

// Workers goes through the workers of a component that the filter lets pass; nil is no filter.
func Workers(component ComponentID, filter *WorkerAnyFilter) iter.Seq[WorkerMetadata] {
	return func(yield func(WorkerMetadata) bool) {
		pages := apihost.NewGetWorkers(component.host(), filter.host(), true)
		defer pages.Close()
		for page := pages.GetNext(); page != nil; page = pages.GetNext() {
			for _, metadata := range *page {
				if !yield(newWorkerMetadata(metadata)) {
					return
				}
			}
		}
	}
}

// UpdateMode is how a worker gets to another version of its component.
type UpdateMode int

// The modes of an update.
const (
	// UpdateModeAutomatic repeats the worker's history with the new version.
	UpdateModeAutomatic UpdateMode = iota
	// UpdateModeSnapshotBased hands over what the old version saves; see package snapshot.
	UpdateModeSnapshotBased
)

// UpdateWorker asks for an update of a worker. It happens when the worker is idle.
func UpdateWorker(id WorkerID, targetVersion uint64, mode UpdateMode) {
	apihost.UpdateWorker(id.host(), targetVersion, apihost.UpdateMode(mode))
}
