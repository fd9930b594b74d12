// SPDX-License-Identifier: Apache-2.0

package transaction

import "fmt"

// FailedAndRolledBackCompletelyError is a transaction that failed and left nothing.
type FailedAndRolledBackCompletelyError struct {
	// ExecuteIndex is the number of the operation that failed, from 0.
	ExecuteIndex uint
	ExecuteError error
}

// Error says what failed.
func (e *FailedAndRolledBackCompletelyError) Error() string {
	return fmt.Sprintf("operation %d failed: %v; all before it were compensated", e.ExecuteIndex, e.ExecuteError)
}

// Unwrap returns the error of the operation.
func (e *FailedAndRolledBackCompletelyError) Unwrap() error {
	return e.ExecuteError
}

// FailedAndRolledBackPartiallyError is a transaction that failed and could not be taken back.
type FailedAndRolledBackPartiallyError struct {
	// ExecuteIndex is the number of the operation that failed, from 0.
	ExecuteIndex uint
	ExecuteError error
	// CompensationIndex is the number of the operation that could not be compensated; those before it stay as well.
	CompensationIndex uint
	CompensationError error
}

// Error says what failed.
func (e *FailedAndRolledBackPartiallyError) Error() string {
	return fmt.Sprintf("operation %d failed: %v; operation %d could not be compensated: %v",
		e.ExecuteIndex, e.ExecuteError, e.CompensationIndex, e.CompensationError)
}

// Unwrap returns both errors.
func (e *FailedAndRolledBackPartiallyError) Unwrap() []error {
	return []error{e.ExecuteError, e.CompensationError}
}

// CannotExecuteInFailedTransactionError is an operation that was asked for after another one had failed. It was not done.
type CannotExecuteInFailedTransactionError struct {
	OriginalError error
}

// Error says why.
func (e *CannotExecuteInFailedTransactionError) Error() string {
	return fmt.Sprintf("the transaction has failed before: %v", e.OriginalError)
}

// Unwrap returns the error of the transaction.
func (e *CannotExecuteInFailedTransactionError) Unwrap() error {
	return e.OriginalError
}

// FinishedError is the use of a transaction that has ended.
type FinishedError struct{}

// Error says so.
func (*FinishedError) Error() string {
	return "the transaction has ended"
}
