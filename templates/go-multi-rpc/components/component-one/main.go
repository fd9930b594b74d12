package main

import (
	"fmt"

	"golem-go-project/components/component-one/binding"
	"golem-go-project/lib/cfg"
)

func init() {
	binding.SetExportsPackNsComponentOneComponentOneApi(&ComponentOneImpl{})
}

// total is the state of the worker.
var total uint64

// ComponentOneImpl implements the interface that wit/component-one.wit exports.
type ComponentOneImpl struct{}

// Add adds value to the counters of the component-two and component-three workers of the same name, then to its own.
func (*ComponentOneImpl) Add(value uint64) {
	twoURI, err := cfg.ComponentTwoWorkerURI(cfg.WorkerName())
	if err != nil {
		fmt.Println(err)
		return
	}
	threeURI, err := cfg.ComponentThreeWorkerURI(cfg.WorkerName())
	if err != nil {
		fmt.Println(err)
		return
	}

	two := binding.NewComponentTwoApi(binding.GolemRpc0_1_0_TypesUri{Value: twoURI})
	defer two.Drop()
	two.BlockingAdd(value)

	three := binding.NewComponentThreeApi(binding.GolemRpc0_1_0_TypesUri{Value: threeURI})
	defer three.Drop()
	three.BlockingAdd(value)

	total += value
}

// Get returns the counter.
func (*ComponentOneImpl) Get() uint64 {
	return total
}

// main is never called: a component only answers calls of its exports.
func main() {}
