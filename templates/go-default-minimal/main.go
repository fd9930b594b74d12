package main

import bindings_import

func init() {
	bindings_pkg.SetExportsPackNameApi(&ComponentNameImpl{})
}

// total is the state of the worker. Every worker has its own and keeps it from one invocation to the next,
// also when the server is restarted.
var total uint64

// ComponentNameImpl implements the interface that wit/component-name.wit exports.
type ComponentNameImpl struct{}

// Add adds value to the counter.
func (*ComponentNameImpl) Add(value uint64) {
	total += value
}

// Get returns the counter.
func (*ComponentNameImpl) Get() uint64 {
	return total
}

// main is never called: a component only answers calls of its exports.
func main() {}
