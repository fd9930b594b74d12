// SPDX-License-Identifier: Apache-2.0

package transaction

import "github.com/golem-workers/golem-go/golemhost"

// InfallibleTx is a transaction that is tried until it succeeds; Infallible makes it.
type InfallibleTx interface {
	infallible() *attempt
}

// attempt is one try of an infallible transaction.
type attempt struct {
	steps
	begin golemhost.OpLogIndex
}

func (a *attempt) infallible() *attempt {
	return a
}

// Infallible runs f as an atomic region. When an operation that f executes with ExecuteInfallible fails, all before it are
// compensated, last first, the worker goes back to where the transaction began, and f runs again. If a compensation fails,
// the invocation fails, and is tried again under the retry policy of the worker.
func Infallible[T any](f func(tx InfallibleTx) T) T {
	begin := golemhost.MarkBeginOperation()
	value := until(begin, func() T {
		tx := &attempt{begin: begin}
		value := f(tx)
		tx.err = &FinishedError{}
		return value
	})
	golemhost.MarkEndOperation(begin)
	return value
}

// ExecuteInfallible executes an operation. It returns when it has succeeded.
func ExecuteInfallible[I, O any](tx InfallibleTx, op Operation[I, O], input I) O {
	attempt := tx.infallible()
	if attempt.err != nil {
		panic(attempt.err.Error())
	}
	output, err := op.Execute(input)
	if err != nil {
		attempt.err = attempt.compensate(err)
		if partly, ok := attempt.err.(*FailedAndRolledBackPartiallyError); ok {
			panic(partly.Error())
		}
		golemhost.SetOpLogIndex(attempt.begin)
	}
	attempt.undo = append(attempt.undo, func() error { return op.Compensate(input, output) })
	return output
}
