// SPDX-License-Identifier: Apache-2.0

// Package transaction undoes what was done when a later step fails.
//
// An operation has two halves: one does something outside, the other takes it back. A fallible transaction compensates the
// operations that were done, last first, when one fails, and returns the error. An infallible one compensates and then
// begins again, as often as it takes.
package transaction
