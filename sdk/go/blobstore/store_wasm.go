// SPDX-License-Identifier: Apache-2.0

//go:build wasip1

package blobstore

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/golem-workers/golem-go/internal/flow"
	"github.com/golem-workers/golem-go/internal/platform/blobstore"
	"github.com/golem-workers/golem-go/internal/platform/blobstoretypes"
	"github.com/golem-workers/golem-go/internal/platform/container"
)

// listedAtOnce is how many names are asked for with one call.
const listedAtOnce = 1000

type store struct {
	handle *container.Container
}

func create(name string) (store, error) {
	handle, err := blobstore.CreateContainer(name)
	return store{handle}, err
}

func open(name string) (store, error) {
	handle, err := blobstore.GetContainer(name)
	return store{handle}, err
}

func exists(name string) (bool, error) {
	return blobstore.ContainerExists(name)
}

func remove(name string) error {
	return blobstore.DeleteContainer(name)
}

func duplicate(from, to ObjectID) error {
	return blobstore.CopyObject(blobstoretypes.ObjectID(from), blobstoretypes.ObjectID(to))
}

func rename(from, to ObjectID) error {
	return blobstore.MoveObject(blobstoretypes.ObjectID(from), blobstoretypes.ObjectID(to))
}

func (s store) close() {
	s.handle.Close()
}

// moment reads a time of the platform, which counts seconds since 1970.
func moment(seconds uint64) time.Time {
	return time.Unix(int64(seconds), 0)
}

func (s store) info() (Info, error) {
	info, err := s.handle.Info()
	return Info{Name: info.Name, CreatedAt: moment(info.CreatedAt)}, err
}

func (s store) write(name string, r io.Reader) (int64, error) {
	value := blobstoretypes.OutgoingValueNewOutgoingValue()
	defer value.Close()
	body, err := value.OutgoingValueWriteBody()
	if err != nil {
		return 0, err
	}
	w := flow.NewWriter(context.Background(), body)
	n, err := io.Copy(w, r)
	if err != nil {
		w.Abandon()
		return n, err
	}
	if err := w.Close(); err != nil {
		return n, err
	}
	return n, s.handle.WriteData(name, value)
}

func (s store) read(name string, first, last uint64) ([]byte, error) {
	value, err := s.handle.GetData(name, first, last)
	if err != nil {
		return nil, err
	}
	defer value.Close()
	return value.IncomingValueConsumeSync()
}

func (s store) list() ([]string, error) {
	names, err := s.handle.ListObjects()
	if err != nil {
		return nil, err
	}
	defer names.Close()
	var all []string
	for {
		page, isLast, err := names.ReadStreamObjectNames(listedAtOnce)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if isLast {
			slices.Sort(all)
			return all, nil
		}
	}
}

func (s store) has(name string) (bool, error) {
	return s.handle.HasObject(name)
}

func (s store) stat(name string) (ObjectInfo, error) {
	info, err := s.handle.ObjectInfo(name)
	return ObjectInfo{
		Name:      info.Name,
		Container: info.Container,
		CreatedAt: moment(info.CreatedAt),
		Size:      info.Size,
	}, err
}

func (s store) remove(names []string) error {
	if len(names) == 1 {
		return s.handle.DeleteObject(names[0])
	}
	return s.handle.DeleteObjects(names)
}

func (s store) clear() error {
	return s.handle.Clear()
}
