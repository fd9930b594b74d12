package main

import (
	"fmt"

	"golem-go-project/components/component-two/binding"
	"golem-go-project/lib/cfg"
)

func init() {
	binding.SetExportsPackNsComponentTwoComponentTwoApi(&ComponentTwoImpl{})
}

// total is the state of the worker.
var total uint64

// ComponentTwoImpl implements the interface that wit/component-two.wit exports.
type ComponentTwoImpl struct{}

// Add adds value to the counter of the component-three worker of the same name, then to its own.
func (*ComponentTwoImpl) Add(value uint64) {
	uri, err := cfg.ComponentThreeWorkerURI(cfg.WorkerName())
	if err != nil {
		fmt.Println(err)
		return
	}
	three := binding.NewComponentThreeApi(binding.GolemRpc0_1_0_TypesUri{Value: uri})
	defer three.Drop()
	three.BlockingAdd(value)

	total += value
}

// Get returns the counter.
func (*ComponentTwoImpl) Get() uint64 {
	return total
}

// main is never called: a component only answers calls of its exports.
func main() {}
