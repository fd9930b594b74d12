// A worker that the tests ask to use key-value buckets, blobs, files and logging. HTTP is in http.go.
package main

import (
	"fmt"
	"os"

	probe "it/hostprobe/host_probe"
)

var calls uint64

type impl struct{}

func init() { probe.SetExportsItHostProbeHostApi(impl{}) }

func main() {}

func (impl) Count() uint64 { return calls }

func (impl) Fail(text string) { panic(text) }

func (impl) Log(context, message string) {
	calls++
	probe.WasiLoggingLoggingLog(probe.WasiLoggingLoggingLevelWarn(), context, message)
}

type bucket = probe.WasiKeyvalue0_1_0_TypesBucket
type kvError = probe.WasiKeyvalue0_1_0_WasiKeyvalueErrorError

// must unwraps a result or panics with the text of its error.
func must[T any](result probe.Result[T, kvError]) T {
	if result.IsErr() {
		err := result.UnwrapErr()
		defer err.Drop()
		panic(err.Trace())
	}
	return result.Unwrap()
}

func open(name string) bucket {
	calls++
	return must(probe.StaticBucketOpenBucket(name))
}

func value(bytes []byte) probe.WasiKeyvalue0_1_0_TypesOutgoingValue {
	value := probe.StaticOutgoingValueNewOutgoingValue()
	must(value.OutgoingValueWriteBodySync(bytes))
	return value
}

func take(found probe.Option[probe.WasiKeyvalue0_1_0_TypesIncomingValue]) probe.Option[[]byte] {
	if found.IsNone() {
		return probe.None[[]byte]()
	}
	value := found.Unwrap()
	defer value.Drop()
	return probe.Some(must(value.IncomingValueConsumeSync()))
}

func (impl) KvSet(name, key string, bytes []byte) {
	b := open(name)
	defer b.Drop()
	v := value(bytes)
	defer v.Drop()
	must(probe.WasiKeyvalue0_1_0_EventualSet(b, key, v))
}

func (impl) KvGet(name, key string) probe.Option[[]byte] {
	b := open(name)
	defer b.Drop()
	return take(must(probe.WasiKeyvalue0_1_0_EventualGet(b, key)))
}

func (impl) KvExists(name, key string) bool {
	b := open(name)
	defer b.Drop()
	return must(probe.WasiKeyvalue0_1_0_EventualExists(b, key))
}

func (impl) KvDelete(name, key string) {
	b := open(name)
	defer b.Drop()
	must(probe.WasiKeyvalue0_1_0_EventualDelete(b, key))
}

func (impl) KvKeys(name string) []string {
	b := open(name)
	defer b.Drop()
	return must(probe.WasiKeyvalue0_1_0_EventualBatchKeys(b))
}

func (impl) KvSetMany(name string, entries []probe.ExportsItHostProbeHostApiTuple2StringListU8TT) {
	b := open(name)
	defer b.Drop()
	var values []probe.WasiKeyvalue0_1_0_EventualBatchTuple2KeyOutgoingValueT
	for _, entry := range entries {
		v := value(entry.F1)
		defer v.Drop()
		values = append(values, probe.WasiKeyvalue0_1_0_EventualBatchTuple2KeyOutgoingValueT{F0: entry.F0, F1: v})
	}
	must(probe.WasiKeyvalue0_1_0_EventualBatchSetMany(b, values))
}

func (impl) KvGetMany(name string, keys []string) []probe.Option[[]byte] {
	b := open(name)
	defer b.Drop()
	var all []probe.Option[[]byte]
	for _, found := range must(probe.WasiKeyvalue0_1_0_EventualBatchGetMany(b, keys)) {
		all = append(all, take(found))
	}
	return all
}

func (impl) KvIncrement(name, key string, delta uint64) probe.Result[uint64, string] {
	b := open(name)
	defer b.Drop()
	result := probe.WasiKeyvalue0_1_0_AtomicIncrement(b, key, delta)
	if result.IsErr() {
		err := result.UnwrapErr()
		defer err.Drop()
		return probe.Err[uint64](err.Trace())
	}
	return probe.Ok[uint64, string](result.Unwrap())
}

func (impl) KvSwap(name, key string, old, new uint64) bool {
	b := open(name)
	defer b.Drop()
	return must(probe.WasiKeyvalue0_1_0_AtomicCompareAndSwap(b, key, old, new))
}

func (impl) CacheGetOrSet(key, text string, ttl probe.Option[uint32]) string {
	calls++
	future := probe.WasiKeyvalue0_1_0_CacheGetOrSet(key)
	defer future.Drop()
	ready := future.ListenToFutureGetOrSetResult()
	ready.Block()
	ready.Drop()
	result := future.FutureGetOrSetResultGet()
	entry := must(result.Unwrap())
	if entry.Kind() == probe.WasiKeyvalue0_1_0_CacheGetOrSetEntryKindOccupied {
		found := take(probe.Some(entry.GetOccupied()))
		return string(found.Unwrap())
	}
	vacancy := entry.GetVacant()
	defer vacancy.Drop()
	slot := vacancy.VacancyFill(ttl)
	stream := must(slot.OutgoingValueWriteBodyAsync())
	written := stream.BlockingWriteAndFlush([]byte(text))
	if written.IsErr() {
		panic("cannot write the value")
	}
	stream.Drop()
	slot.Drop()
	return text
}

func (impl) CacheGet(key string) probe.Option[string] {
	calls++
	future := probe.WasiKeyvalue0_1_0_CacheGet(key)
	defer future.Drop()
	result := future.FutureGetResultGet()
	found := take(must(result.Unwrap()))
	if found.IsNone() {
		return probe.None[string]()
	}
	return probe.Some(string(found.Unwrap()))
}

func text[T any](result probe.Result[T, string]) probe.Option[string] {
	if result.IsErr() {
		return probe.Some(result.UnwrapErr())
	}
	return probe.None[string]()
}

func container(name string) probe.WasiBlobstoreContainerContainer {
	calls++
	result := probe.WasiBlobstoreBlobstoreGetContainer(name)
	if result.IsErr() {
		panic(result.UnwrapErr())
	}
	return result.Unwrap()
}

func (impl) BlobCreate(name string) probe.Option[string] {
	calls++
	result := probe.WasiBlobstoreBlobstoreCreateContainer(name)
	if result.IsOk() {
		made := result.Unwrap()
		made.Drop()
	}
	return text(result)
}

func (impl) BlobWrite(name, object string, data []byte) probe.Option[string] {
	c := container(name)
	defer c.Drop()
	blob := probe.WasiBlobstoreTypesStaticOutgoingValueNewOutgoingValue()
	defer blob.Drop()
	body := blob.OutgoingValueWriteBody()
	stream := body.Unwrap()
	for len(data) > 0 {
		n := min(len(data), 4096)
		written := stream.BlockingWriteAndFlush(data[:n])
		if written.IsErr() {
			panic("cannot write the object")
		}
		data = data[n:]
	}
	stream.Drop()
	return text(c.WriteData(object, blob))
}

func (impl) BlobRead(name, object string, first, last uint64) probe.Result[[]byte, string] {
	c := container(name)
	defer c.Drop()
	result := c.GetData(object, first, last)
	if result.IsErr() {
		return probe.Err[[]byte](result.UnwrapErr())
	}
	blob := result.Unwrap()
	defer blob.Drop()
	body := blob.IncomingValueConsumeSync()
	return probe.Ok[[]byte, string](body.Unwrap())
}

func (impl) BlobList(name string) []string {
	c := container(name)
	defer c.Drop()
	list := c.ListObjects()
	names := list.Unwrap()
	defer names.Drop()
	var all []string
	for {
		next := names.ReadStreamObjectNames(2)
		part := next.Unwrap()
		all = append(all, part.F0...)
		if part.F1 {
			return all
		}
	}
}

func (impl) BlobMove(name, object, newName string) probe.Option[string] {
	calls++
	from := probe.WasiBlobstoreTypesObjectId{Container: name, Object: object}
	to := probe.WasiBlobstoreTypesObjectId{Container: name, Object: newName}
	return text(probe.WasiBlobstoreBlobstoreMoveObject(from, to))
}

func (impl) BlobDeleteContainer(name string) probe.Option[string] {
	calls++
	return text(probe.WasiBlobstoreBlobstoreDeleteContainer(name))
}

func outcome(err error) string {
	calls++
	if err != nil {
		return err.Error()
	}
	return ""
}

func (impl) FileWrite(path, text string, appending bool) string {
	flags := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if appending {
		flags = os.O_CREATE | os.O_WRONLY | os.O_APPEND
	}
	file, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return outcome(err)
	}
	_, err = file.WriteString(text)
	if closing := file.Close(); err == nil {
		err = closing
	}
	return outcome(err)
}

func (impl) FileRead(path string) string {
	bytes, err := os.ReadFile(path)
	if err != nil {
		return outcome(err)
	}
	calls++
	return string(bytes)
}

func (impl) FileList(path string) []string {
	entries, err := os.ReadDir(path)
	if err != nil {
		return []string{outcome(err)}
	}
	calls++
	var names []string
	for _, entry := range entries {
		names = append(names, fmt.Sprintf("%s %t", entry.Name(), entry.IsDir()))
	}
	return names
}

func (impl) FileRemove(path string) string { return outcome(os.RemoveAll(path)) }

func (impl) FileMkdir(path string) string { return outcome(os.MkdirAll(path, 0o700)) }

func (impl) FileGrow(path string, bytes uint64) string {
	return outcome(os.Truncate(path, int64(bytes)))
}

func (impl) FileTime(path string) uint64 {
	calls++
	info, err := os.Stat(path)
	if err != nil {
		panic(err)
	}
	return uint64(info.ModTime().UnixNano())
}

func (impl) FileLink(target, path string) string { return outcome(os.Symlink(target, path)) }
