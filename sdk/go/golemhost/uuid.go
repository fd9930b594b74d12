// SPDX-License-Identifier: Apache-2.0

package golemhost

import (
	"encoding/binary"
	"encoding/hex"
	"errors"

	"github.com/golem-workers/golem-go/internal/platform/apihost"
)

// UUID is a universally unique identifier in the order in which it is written. It converts to and from the UUID types of
// other packages that are arrays of 16 bytes.
type UUID [16]byte

// errUUID is the error of a text that is no UUID.
var errUUID = errors.New("a UUID has 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12")

// ParseUUID reads the form 8-4-4-4-12.
func ParseUUID(text string) (UUID, error) {
	var id UUID
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return id, errUUID
	}
	digits := text[:8] + text[9:13] + text[14:18] + text[19:23] + text[24:]
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
		return UUID{}, errUUID
	}
	return id, nil
}

// String writes the form 8-4-4-4-12.
func (id UUID) String() string {
	digits := hex.EncodeToString(id[:])
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
}

// MarshalText writes the form of String, also as a key or value of JSON.
func (id UUID) MarshalText() ([]byte, error) {
	return []byte(id.String()), nil
}

// UnmarshalText reads what MarshalText writes.
func (id *UUID) UnmarshalText(text []byte) error {
	read, err := ParseUUID(string(text))
	if err == nil {
		*id = read
	}
	return err
}

func newUUID(id apihost.UUID) UUID {
	var bytes UUID
	binary.BigEndian.PutUint64(bytes[:8], id.HighBits)
	binary.BigEndian.PutUint64(bytes[8:], id.LowBits)
	return bytes
}

func (id UUID) host() apihost.UUID {
	return apihost.UUID{
		HighBits: binary.BigEndian.Uint64(id[:8]),
		LowBits:  binary.BigEndian.Uint64(id[8:]),
	}
}

// GenerateIdempotencyKey returns a key that is new, and the same when the worker's history is repeated: give it to a remote
// system so that it can tell a repeated request from another one.
func GenerateIdempotencyKey() UUID {
	return newUUID(apihost.GenerateIdempotencyKey())
}
