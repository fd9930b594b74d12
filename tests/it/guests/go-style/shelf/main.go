// Program shelf answers as library:shelf/books.
package main

import (
	"context"
	"fmt"
	"time"

	"example.com/shelf/internal/golem/books"
)

type stock struct {
	book   books.Book
	copies uint32
}

type shelf struct {
	stock map[string]*stock
}

func (s *shelf) Put(_ context.Context, item books.Book, copies uint32) error {
	if known := s.stock[item.Title]; known != nil {
		known.copies += copies
		return nil
	}
	s.stock[item.Title] = &stock{item, copies}
	return nil
}

func (s *shelf) Count(_ context.Context, title string) (uint32, error) {
	if known := s.stock[title]; known != nil {
		return known.copies, nil
	}
	return 0, nil
}

func (s *shelf) Take(_ context.Context, title string) (books.Book, error) {
	known := s.stock[title]
	switch {
	case title == "":
		return books.Book{}, books.RefusalClosed{}
	case known == nil:
		return books.Book{}, fmt.Errorf("looked everywhere: %w", books.RefusalUnknown{Value: title})
	case known.copies == 0:
		return books.Book{}, books.RefusalLent{Value: 7}
	}
	known.copies--
	return known.book, nil
}

func (s *shelf) Burn(_ context.Context, why string) (uint32, error) {
	if why == "" {
		return 0, fmt.Errorf("no reason given")
	}
	panic("burnt: " + why)
}

func (s *shelf) Slowly(_ context.Context, milliseconds uint32) (uint32, error) {
	time.Sleep(time.Duration(milliseconds) * time.Millisecond)
	return milliseconds, nil
}

func (s *shelf) Find(_ context.Context, title string) (*books.Book, error) {
	if known := s.stock[title]; known != nil {
		return &known.book, nil
	}
	return nil, nil
}

func init() {
	books.Export(&shelf{stock: map[string]*stock{}})
}

func main() {}
