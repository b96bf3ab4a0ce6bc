package router

import (
	"context"
	"errors"
	"strings"
)

// Bounds of what is looked at of a handle: none is longer than a cookie or a path would carry.
const (
	maxHandle = 256
	maxID     = 128
)

// HandleForm says what a handle is, for those who sent something else.
const HandleForm = "a handle is HOME.ID, and ID is 1 to 128 letters, digits and -, _ or ~"

// ParseHandle splits a handle, HOME.ID, at its last dot: the zone key's value of a record, and its
// identifier. An identifier is 1 to 128 letters, digits and "-", "_" or "~", the characters that no
// URL escapes (RFC 3986, 2.3) but for the dot: a ULID, a UUID, an ObjectID and a number are all right.
// The router never changes one, so small letters and capitals are two. A home is anything without
// control characters. ParseHandle allocates nothing; the parts are parts of s.
func ParseHandle(s string) (home, id string, ok bool) {
	at := strings.LastIndexByte(s, '.')
	if at < 1 || len(s) > maxHandle || !isID(s[at+1:]) || !printable(s[:at]) {
		return "", "", false
	}
	return s[:at], s[at+1:], true
}

// ofID are the characters of an identifier.
var ofID = func() (set [256]bool) {
	for _, c := range "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_~" {
		set[c] = true
	}
	return set
}()

func isID(s string) bool {
	for i := range len(s) {
		if !ofID[s[i]] {
			return false
		}
	}
	return s != "" && len(s) <= maxID
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
