// SPDX-License-Identifier: Apache-2.0

//go:build wasip1

package snapshot

import (
	"context"

	"github.com/golem-workers/golem-go/internal/platform/loadsnapshot"
	"github.com/golem-workers/golem-go/internal/platform/savesnapshot"
)

type exports struct{}

func (exports) Save(ctx context.Context) ([]byte, error) {
	return Save(ctx)
}

func (exports) Load(ctx context.Context, data []byte) error {
	return Load(ctx, data)
}

func init() {
	savesnapshot.Export(exports{})
	loadsnapshot.Export(exports{})
}
