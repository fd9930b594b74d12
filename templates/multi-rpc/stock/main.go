// Program stock keeps the pieces of articles.
package main

import (
	"context"

	"go_module/stock/internal/golem/shelf"
)

// stock is the state of a worker: one article.
type stock struct {
	pieces uint32
}

// Put puts pieces on the shelf.
func (s *stock) Put(_ context.Context, pieces uint32) (uint32, error) {
	s.pieces += pieces
	return s.pieces, nil
}

// Take takes pieces.
func (s *stock) Take(_ context.Context, pieces uint32) (uint32, error) {
	if pieces > s.pieces {
		return 0, shelf.ShortageOnly{Value: s.pieces}
	}
	s.pieces -= pieces
	return s.pieces, nil
}

func init() {
	shelf.Export(&stock{})
}

// main is never called: a component only answers calls of its exports.
func main() {}
