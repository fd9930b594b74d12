package main

import "golem-go-project/components/component-three/binding"

func init() {
	binding.SetExportsPackNsComponentThreeComponentThreeApi(&ComponentThreeImpl{})
}

// total is the state of the worker.
var total uint64

// ComponentThreeImpl implements the interface that wit/component-three.wit exports.
type ComponentThreeImpl struct{}

// Add adds value to the counter.
func (*ComponentThreeImpl) Add(value uint64) {
	total += value
}

// Get returns the counter.
func (*ComponentThreeImpl) Get() uint64 {
	return total
}

// main is never called: a component only answers calls of its exports.
func main() {}
