package main

import (
	"context"
	"errors"
	"testing"

	"go_module/stock/internal/golem/shelf"
)

func TestNoMoreIsTakenThanThereIs(t *testing.T) {
	s := &stock{}
	if pieces, err := s.Put(context.Background(), 3); pieces != 3 || err != nil {
		t.Fatal(pieces, err)
	}
	if left, err := s.Take(context.Background(), 2); left != 1 || err != nil {
		t.Fatal(left, err)
	}
	if _, err := s.Take(context.Background(), 2); !errors.Is(err, shelf.ShortageOnly{Value: 1}) {
		t.Fatal(err)
	}
}
