// Program reader calls shelves.
package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"example.com/reader/internal/golem/books"
	"example.com/reader/internal/golem/reading"
	"example.com/reader/internal/golem/rpc"
	"example.com/reader/internal/golem/shelf"
	"example.com/reader/internal/golem/wit"
	"example.com/reader/internal/golem/worker"
)

type reader struct {
	calls uint32
}

func open(name string) *shelf.Books {
	component, rest, _ := strings.Cut(name, "/")
	return shelf.NewBooks(worker.ID(component, rest))
}

func (r *reader) Round(ctx context.Context, name string, title string, copies uint32) (uint32, error) {
	r.calls++
	s := open(name)
	defer s.Close()
	book := books.Book{
		Title:  title,
		State:  books.StateUsed,
		Places: books.PlacesHall | books.PlacesAbroad,
		Notes:  []string{"a", "", "c"},
		Price:  wit.Some[uint64](30),
	}
	if err := s.Put(ctx, book, copies-1); err != nil {
		return 0, err
	}
	if err := s.PutTrigger(book, 1); err != nil {
		return 0, err
	}
	got, err := s.Take(ctx, title)
	if err != nil {
		return 0, err
	}
	same := got.Title == title && got.State == books.StateUsed && got.Places.Has(books.PlacesAbroad) &&
		!got.Places.Has(books.PlacesRoom) && len(got.Notes) == 3 && got.Notes[2] == "c" && *got.Price == 30
	if !same {
		return 0, fmt.Errorf("another book came back: %+v", got)
	}
	nothing, err := s.Find(ctx, "no such book")
	if err != nil || nothing != nil {
		return 0, fmt.Errorf("found %v, %w", nothing, err)
	}
	found, err := s.Find(ctx, title)
	if err != nil || found == nil || found.State.String() != "used" {
		return 0, fmt.Errorf("found %v, %w", found, err)
	}
	return s.Count(ctx, title)
}

func (r *reader) Failure(ctx context.Context, name string, what string) (string, error) {
	r.calls++
	s := open(name)
	defer s.Close()
	var err error
	switch {
	case what == "error":
		_, err = s.Burn(ctx, "")
	case what == "trigger":
		err = s.PutTrigger(books.Book{Title: "t"}, 1)
	case what == "put":
		err = s.Put(ctx, books.Book{Title: "t"}, 1)
	case strings.HasPrefix(what, "take "):
		_, err = s.Take(ctx, strings.TrimPrefix(what, "take "))
	default:
		_, err = s.Burn(ctx, what)
	}
	var refusal books.Refusal
	if errors.As(err, &refusal) {
		switch why := refusal.(type) {
		case books.RefusalUnknown:
			return "unknown " + why.Value, nil
		case books.RefusalLent:
			return fmt.Sprint("lent ", why.Value), nil
		case books.RefusalClosed:
			return "closed", nil
		}
	}
	var failed *rpc.Error
	if errors.As(err, &failed) {
		is := errors.Is(err, rpc.ErrCalleeFailed) && !errors.Is(err, rpc.ErrTimeout)
		return fmt.Sprintf("%v|%v|%s", failed.Kind, is, failed.Message), nil
	}
	return fmt.Sprint("no call error: ", err), nil
}

func (r *reader) FanOut(ctx context.Context, component string, names []string, title string) (uint32, error) {
	r.calls++
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		sum   uint32
		first error
	)
	for _, name := range names {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s := shelf.NewBooks(worker.ID(component, name))
			defer s.Close()
			if err := s.PutTrigger(books.Book{Title: title}, 2); err != nil {
				first = err
				return
			}
			n, err := s.Count(ctx, title)
			mu.Lock()
			defer mu.Unlock()
			sum += n
			if err != nil {
				first = err
			}
		}()
	}
	wg.Wait()
	return sum, first
}

func (r *reader) All(ctx context.Context, component string, names []string, title string) (uint32, error) {
	r.calls++
	var futures []*rpc.Future[uint32]
	for _, name := range names {
		s := shelf.NewBooks(worker.ID(component, name))
		defer s.Close()
		futures = append(futures, s.CountAsync(title))
	}
	counts, err := rpc.All(ctx, futures...)
	var sum uint32
	for _, n := range counts {
		sum += n
	}
	return sum, err
}

// one puts and takes in the i-th way, and counts what is left.
func one(ctx context.Context, i int, s *shelf.Books, title string) (uint32, error) {
	if err := s.PutTrigger(books.Book{Title: title}, 3); err != nil {
		return 0, err
	}
	var err error
	switch i % 4 {
	case 0:
		_, err = s.Take(ctx, title)
	case 1:
		_, err = rpc.All(ctx, s.TakeAsync(title))
	case 2:
		futures := []*rpc.Future[books.Book]{s.TakeAsync(title), s.TakeAsync(title)}
		var first int
		if first, _, err = rpc.Any(ctx, futures...); err == nil {
			_, err = futures[1-first].Result(ctx)
		}
	case 3:
		soon, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		if _, err = s.Take(soon, title); err == nil {
			select {
			case <-time.After(time.Duration(i) * 100 * time.Microsecond):
			case <-soon.Done():
				err = soon.Err()
			}
		}
	}
	if err != nil {
		return 0, err
	}
	return s.Count(ctx, title)
}

func (r *reader) Storm(ctx context.Context, component string, names []string, title string) ([]uint32, error) {
	r.calls++
	ctx, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	left := make([]uint32, len(names))
	done := make(chan error)
	for i, name := range names {
		go func() {
			s := shelf.NewBooks(worker.ID(component, name))
			defer s.Close()
			var err error
			left[i], err = one(ctx, i, s, title)
			done <- err
		}()
	}
	late := time.NewTimer(time.Hour)
	defer late.Stop()
	for range names {
		select {
		case err := <-done:
			if err != nil {
				return nil, err
			}
		case <-late.C:
			return nil, errors.New("an hour is over")
		}
	}
	return left, nil
}

func (r *reader) Counts(ctx context.Context, component string, names []string, title string) ([]uint32, error) {
	var futures []*rpc.Future[uint32]
	for _, name := range names {
		s := shelf.NewBooks(worker.ID(component, name))
		defer s.Close()
		futures = append(futures, s.CountAsync(title))
	}
	return rpc.All(ctx, futures...)
}

func (r *reader) Stuck(ctx context.Context, name string) (uint32, error) {
	if name != "" {
		s := open(name)
		defer s.Close()
		if _, err := s.CountAsync("").Result(ctx); err != nil {
			return 0, err
		}
	}
	never := make(chan uint32)
	go func() { never <- <-never }()
	return <-never, nil
}

func (r *reader) Patience(ctx context.Context, name string, slow uint32, patience uint32) (string, error) {
	r.calls++
	s := open(name)
	defer s.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Duration(patience)*time.Millisecond)
	defer cancel()
	got, err := s.Slowly(ctx, slow)
	switch {
	case errors.Is(err, rpc.ErrTimeout) && errors.Is(err, context.DeadlineExceeded):
		return "timeout", nil
	case err != nil:
		return err.Error(), nil
	}
	return fmt.Sprint(got), nil
}

func (r *reader) Race(ctx context.Context, shelfOne string, shelfTwo string, one uint32, two uint32) (uint32, error) {
	r.calls++
	s, t := open(shelfOne), open(shelfTwo)
	defer s.Close()
	defer t.Close()
	futures := []*rpc.Future[uint32]{s.SlowlyAsync(one), t.SlowlyAsync(two)}
	i, got, err := rpc.Any(ctx, futures...)
	for _, f := range futures {
		f.Close()
	}
	if err == nil && (got != one || i != 0) && (got != two || i != 1) {
		return 0, fmt.Errorf("future %d has %d", i, got)
	}
	return got, err
}

func (r *reader) Calls(context.Context) (uint32, error) {
	return r.calls, nil
}

func init() {
	reading.Export(&reader{})
}

func main() {}
