// SPDX-License-Identifier: Apache-2.0

package golemhost

import (
	"time"

	"github.com/golem-workers/golem-go/internal/platform/apihost"
)

// FilterComparator compares numbers, times and states.
type FilterComparator int

// The ways to compare numbers.
const (
	FilterComparatorEqual FilterComparator = iota
	FilterComparatorNotEqual
	FilterComparatorGreaterEqual
	FilterComparatorGreater
	FilterComparatorLessEqual
	FilterComparatorLess
)

// StringFilterComparator compares texts; like looks for a part.
type StringFilterComparator int

// The ways to compare texts.
const (
	StringFilterComparatorEqual StringFilterComparator = iota
	StringFilterComparatorNotEqual
	StringFilterComparatorLike
	StringFilterComparatorNotLike
)

// WorkerAnyFilter lets a worker pass that one of its filters lets pass.
type WorkerAnyFilter struct {
	Filters []WorkerAllFilter
}

// WorkerAllFilter lets a worker pass that all of its filters let pass.
type WorkerAllFilter struct {
	Filters []WorkerFilter
}

// WorkerEnvFilter is a variable of the environment to compare.
type WorkerEnvFilter struct {
	Name  string
	Value string
}

// WorkerFilter compares the properties that are not nil, and lets a worker pass for which all comparisons hold.
type WorkerFilter struct {
	Name           *string
	NameComparator StringFilterComparator

	Status           *WorkerStatus
	StatusComparator FilterComparator

	Version           *uint64
	VersionComparator FilterComparator

	CreatedAt           *time.Time
	CreatedAtComparator FilterComparator

	Env           *WorkerEnvFilter
	EnvComparator StringFilterComparator
}

func (f *WorkerAnyFilter) host() *apihost.WorkerAnyFilter {
	if f == nil {
		return nil
	}
	any := &apihost.WorkerAnyFilter{}
	for _, all := range f.Filters {
		var filters []apihost.WorkerPropertyFilter
		for _, filter := range all.Filters {
			filters = append(filters, filter.host()...)
		}
		any.Filters = append(any.Filters, apihost.WorkerAllFilter{Filters: filters})
	}
	return any
}

func (f WorkerFilter) host() []apihost.WorkerPropertyFilter {
	var filters []apihost.WorkerPropertyFilter
	if f.Name != nil {
		filters = append(filters, apihost.WorkerPropertyFilterName{Value: apihost.WorkerNameFilter{
			Comparator: apihost.StringFilterComparator(f.NameComparator), Value: *f.Name,
		}})
	}
	if f.Status != nil {
		filters = append(filters, apihost.WorkerPropertyFilterStatus{Value: apihost.WorkerStatusFilter{
			Comparator: apihost.FilterComparator(f.StatusComparator), Value: apihost.WorkerStatus(*f.Status),
		}})
	}
	if f.Version != nil {
		filters = append(filters, apihost.WorkerPropertyFilterVersion{Value: apihost.WorkerVersionFilter{
			Comparator: apihost.FilterComparator(f.VersionComparator), Value: *f.Version,
		}})
	}
	if f.CreatedAt != nil {
		filters = append(filters, apihost.WorkerPropertyFilterCreatedAt{Value: apihost.WorkerCreatedAtFilter{
			Comparator: apihost.FilterComparator(f.CreatedAtComparator), Value: uint64(f.CreatedAt.UnixNano()),
		}})
	}
	if f.Env != nil {
		filters = append(filters, apihost.WorkerPropertyFilterEnv{Value: apihost.WorkerEnvFilter{
			Comparator: apihost.StringFilterComparator(f.EnvComparator), Name: f.Env.Name, Value: f.Env.Value,
		}})
	}
	return filters
}
