// SPDX-License-Identifier: Apache-2.0

//go:build !wasip1

package transaction_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/golem-workers/golem-go/golemhost/transaction"
	"github.com/golem-workers/golem-go/golemtest"
)

// book is a place for what operations do: "+x" and "-x".
type book struct {
	lines []string
	// full and stuck say what cannot be done and what cannot be taken back.
	full, stuck map[string]error
}

func (b *book) op() transaction.Operation[string, int] {
	return transaction.NewOperation(
		func(name string) (int, error) {
			if err := b.full[name]; err != nil {
				return 0, err
			}
			b.lines = append(b.lines, "+"+name)
			return len(b.lines), nil
		},
		func(name string, at int) error {
			if err := b.stuck[name]; err != nil {
				return err
			}
			b.lines = append(b.lines, fmt.Sprintf("-%s%d", name, at))
			return nil
		},
	)
}

var errFull, errStuck = errors.New("full"), errors.New("stuck")

func run(b *book, names ...string) (int, error) {
	return transaction.Fallible(func(tx transaction.FallibleTx) (int, error) {
		var last int
		for _, name := range names {
			at, err := transaction.ExecuteFallible(tx, b.op(), name)
			if err != nil {
				return 0, fmt.Errorf("at %s: %w", name, err)
			}
			last = at
		}
		return last, nil
	})
}

func TestAFailureIsCompensatedLastFirst(t *testing.T) {
	b := &book{full: map[string]error{"c": errFull}}
	_, err := run(b, "a", "b", "c")
	var complete *transaction.FailedAndRolledBackCompletelyError
	if !errors.As(err, &complete) || complete.ExecuteIndex != 2 || !errors.Is(err, errFull) {
		t.Error(err)
	}
	if want := []string{"+a", "+b", "-b2", "-a1"}; !reflect.DeepEqual(b.lines, want) {
		t.Error(b.lines)
	}
	if last, err := run(&book{}, "a", "b"); last != 2 || err != nil {
		t.Error(last, err)
	}
}

func TestACompensationThatFailsIsTold(t *testing.T) {
	b := &book{full: map[string]error{"c": errFull}, stuck: map[string]error{"b": errStuck}}
	_, err := run(b, "a", "b", "c")
	var partly *transaction.FailedAndRolledBackPartiallyError
	if !errors.As(err, &partly) || partly.CompensationIndex != 1 || !errors.Is(err, errStuck) || !errors.Is(err, errFull) {
		t.Error(err)
	}
	if want := []string{"+a", "+b"}; !reflect.DeepEqual(b.lines, want) {
		t.Error(b.lines)
	}
}

func TestAnErrorOfTheFunctionItselfCompensatesToo(t *testing.T) {
	b := &book{}
	own := errors.New("own")
	_, err := transaction.Fallible(func(tx transaction.FallibleTx) (int, error) {
		_, _ = transaction.ExecuteFallible(tx, b.op(), "a")
		return 0, own
	})
	if !errors.Is(err, own) || len(b.lines) != 2 || b.lines[1] != "-a1" {
		t.Error(err, b.lines)
	}
}

func TestNothingIsDoneAfterAFailureOrTheEnd(t *testing.T) {
	b := &book{full: map[string]error{"a": errFull}}
	var kept transaction.FallibleTx
	_, err := transaction.Fallible(func(tx transaction.FallibleTx) (int, error) {
		kept = tx
		// The first error is ignored, which does not make the transaction succeed.
		_, _ = transaction.ExecuteFallible(tx, b.op(), "a")
		_, err := transaction.ExecuteFallible(tx, b.op(), "b")
		var refused *transaction.CannotExecuteInFailedTransactionError
		if !errors.As(err, &refused) || !errors.Is(err, errFull) {
			t.Error(err)
		}
		return 1, nil
	})
	if !errors.Is(err, errFull) || len(b.lines) != 0 {
		t.Error(err, b.lines)
	}
	_, err = transaction.ExecuteFallible(kept, b.op(), "b")
	var finished *transaction.FinishedError
	if !errors.As(err, &finished) || len(b.lines) != 0 {
		t.Error(err, b.lines)
	}
}

func TestAnInfallibleTransactionBeginsAgain(t *testing.T) {
	golemtest.Reset(t)
	b := &book{full: map[string]error{"b": errFull}}
	rounds := 0
	last := transaction.Infallible(func(tx transaction.InfallibleTx) int {
		rounds++
		transaction.ExecuteInfallible(tx, b.op(), "a")
		if rounds == 3 {
			b.full = nil
		}
		return transaction.ExecuteInfallible(tx, b.op(), "b")
	})
	if want := []string{"+a", "-a1", "+a", "-a3", "+a", "+b"}; rounds != 3 || last != 6 || !reflect.DeepEqual(b.lines, want) {
		t.Error(rounds, last, b.lines)
	}
}

func TestAnInfallibleTransactionPanicsIfItCannotCompensate(t *testing.T) {
	golemtest.Reset(t)
	b := &book{full: map[string]error{"b": errFull}, stuck: map[string]error{"a": errStuck}}
	defer func() {
		if cause := recover(); cause == nil {
			t.Error("it went on")
		}
	}()
	transaction.Infallible(func(tx transaction.InfallibleTx) int {
		transaction.ExecuteInfallible(tx, b.op(), "a")
		return transaction.ExecuteInfallible(tx, b.op(), "b")
	})
}

func ExampleFallible() {
	reserve := transaction.NewOperation(
		func(seat string) (string, error) { fmt.Println("reserve", seat); return "ticket for " + seat, nil },
		func(seat, ticket string) error { fmt.Println("give back", ticket); return nil },
	)
	charge := transaction.NewOperation(
		func(cents int) (struct{}, error) { return struct{}{}, errors.New("the card was refused") },
		func(int, struct{}) error { return nil },
	)
	_, err := transaction.Fallible(func(tx transaction.FallibleTx) (string, error) {
		ticket, err := transaction.ExecuteFallible(tx, reserve, "7A")
		if err != nil {
			return "", err
		}
		_, err = transaction.ExecuteFallible(tx, charge, 4200)
		return ticket, err
	})
	fmt.Println(err)
	// Output:
	// reserve 7A
	// give back ticket for 7A
	// operation 1 failed: the card was refused; all before it were compensated
}

func ExampleInfallible() {
	attempts := 0
	connect := transaction.NewOperation(
		func(host string) (string, error) {
			if attempts++; attempts < 3 {
				return "", errors.New("busy")
			}
			return "connected to " + host, nil
		},
		func(string, string) error { return nil },
	)
	fmt.Println(transaction.Infallible(func(tx transaction.InfallibleTx) string {
		return transaction.ExecuteInfallible(tx, connect, "example.com")
	}))
	// Output: connected to example.com
}
