// SPDX-License-Identifier: Apache-2.0

package transaction

// Operation does something and can take it back.
type Operation[I, O any] interface {
	// Execute does it.
	Execute(input I) (O, error)
	// Compensate takes back what Execute did, whose result it gets.
	Compensate(input I, output O) error
}

type operation[I, O any] struct {
	execute    func(I) (O, error)
	compensate func(I, O) error
}

func (o operation[I, O]) Execute(input I) (O, error) {
	return o.execute(input)
}

func (o operation[I, O]) Compensate(input I, output O) error {
	return o.compensate(input, output)
}

// NewOperation makes an operation of its two halves.
func NewOperation[I, O any](execute func(I) (O, error), compensate func(I, O) error) Operation[I, O] {
	return operation[I, O]{execute, compensate}
}
