// SPDX-License-Identifier: Apache-2.0

package transaction

import "errors"

// FallibleTx is a transaction that may fail; Fallible makes it.
type FallibleTx interface {
	fallible() *steps
}

// steps are the operations that were done, as what takes them back.
type steps struct {
	undo []func() error
	// err ends the transaction.
	err error
}

func (s *steps) fallible() *steps {
	return s
}

// compensate takes everything back, last first, and returns the error of the transaction.
func (s *steps) compensate(err error) error {
	failed := uint(len(s.undo))
	for i := len(s.undo) - 1; i >= 0; i-- {
		if cause := s.undo[i](); cause != nil {
			return &FailedAndRolledBackPartiallyError{
				ExecuteIndex:      failed,
				ExecuteError:      err,
				CompensationIndex: uint(i),
				CompensationError: cause,
			}
		}
	}
	return &FailedAndRolledBackCompletelyError{ExecuteIndex: failed, ExecuteError: err}
}

// Fallible runs f. Operations that f executes with ExecuteFallible are compensated, last first, when one of them fails or
// when f returns an error of its own; the error is then a FailedAndRolledBack… one that wraps the cause. A panic
// compensates nothing.
func Fallible[T any](f func(tx FallibleTx) (T, error)) (T, error) {
	tx := &steps{}
	value, err := f(tx)
	failed := tx.err
	tx.err = &FinishedError{}
	var none T
	switch {
	case failed == nil && err == nil:
		return value, nil
	case failed == nil:
		return none, tx.compensate(err)
	case errors.Is(err, failed):
		return none, err
	default:
		// The operations are compensated already, also if f took no notice.
		return none, errors.Join(err, failed)
	}
}

// ExecuteFallible executes an operation. If it fails, everything before it is compensated before the error is returned:
// return it from the transaction.
func ExecuteFallible[I, O any](tx FallibleTx, op Operation[I, O], input I) (O, error) {
	var none O
	steps := tx.fallible()
	if steps.err != nil {
		return none, &CannotExecuteInFailedTransactionError{OriginalError: steps.err}
	}
	output, err := op.Execute(input)
	if err != nil {
		steps.err = steps.compensate(err)
		return none, steps.err
	}
	steps.undo = append(steps.undo, func() error { return op.Compensate(input, output) })
	return output, nil
}
