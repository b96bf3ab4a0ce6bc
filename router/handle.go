package router

import (
	"context"
	"errors"

	"github.com/oklog/ulid/v2"
)

// maxHandle bounds what is looked at of a handle: no home is longer than a cookie or a path would carry.
const maxHandle = 256

// ParseHandle splits a handle, HOME.ULID: the zone key's value of a record and its identifier. Like the identifiers, handles have one spelling, in
// capitals. It allocates nothing; the parts are parts of s.
func ParseHandle(s string) (home, id string, ok bool) {
	at := len(s) - ulid.EncodedSize - 1
	if at < 1 || len(s) > maxHandle || s[at] != '.' || !isULID(s[at+1:]) || !printable(s[:at]) {
		return "", "", false
	}
	return s[:at], s[at+1:], true
}

// ofULID are the characters of a ULID.
var ofULID = func() (set [256]bool) {
	for _, c := range ulid.Encoding {
		set[c] = true
	}
	return set
}()

// isULID accepts ULIDs in capitals alone, as all of the system writes them. The library takes small letters too, and looking twice would cost a decision a quarter of its time.
func isULID(s string) bool {
	for i := range len(s) {
		if !ofULID[s[i]] {
			return false
		}
	}
	return len(s) == ulid.EncodedSize && s[0] <= '7' // 128 bits
}

// printable refuses control characters, which no home has and a header must not.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// ErrNoSuchRecord means that a directory knows no record with the identifier.
var ErrNoSuchRecord = errors.New("no such record")

// A Directory finds the home of a record of which the bare identifier is known.
type Directory interface {
	// Home returns the zone key's value of the record. It returns ErrNoSuchRecord when there is none.
	Home(ctx context.Context, id string) (home string, err error)
}

// A DirectoryFunc is a function that is a Directory.
type DirectoryFunc func(ctx context.Context, id string) (home string, err error)

// Home calls the function.
func (f DirectoryFunc) Home(ctx context.Context, id string) (home string, err error) {
	return f(ctx, id)
}
