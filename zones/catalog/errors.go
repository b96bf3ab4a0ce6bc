package catalog

import (
	"errors"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/internal/passing"
	"github.com/geoshard/geoshard/internal/redact"
	"github.com/geoshard/geoshard/zones/apply"
)

// The errors that callers branch on, with errors.Is. Each comes as an *Error, which says what was attempted and has a hint.
var (
	// ErrUnreachable: no server answered in time.
	ErrUnreachable = errors.New("no server answers")
	// ErrLogin: the server does not accept the credentials.
	ErrLogin = errors.New("the login was refused")
	// ErrNotAllowed: the user lacks a privilege; the hint names it.
	ErrNotAllowed = errors.New("not allowed")
	// ErrUnsupported: the server, or the managed service that runs it, does not have the command.
	ErrUnsupported = errors.New("not supported by this server")
	// ErrIgnored: the server said that it had made a change, and the catalogue says that it has not.
	ErrIgnored = errors.New("the server ignored the change")
	// ErrZoneNotFound: a range was given to a zone that has no shard.
	ErrZoneNotFound = errors.New("the zone has no shard")
	// ErrZoneInUse: the shard is the last one of a zone that has ranges.
	ErrZoneInUse = errors.New("the zone has ranges and no other shard")
	// ErrShardNotFound: the cluster has no such shard.
	ErrShardNotFound = errors.New("no such shard")
	// ErrOverlap: another range has some of the keys.
	ErrOverlap = errors.New("another range overlaps")
	// ErrBadBounds: the bounds do not fit the shard key.
	ErrBadBounds = errors.New("the bounds do not fit the shard key")
	// ErrNoCollection: there is no such collection.
	ErrNoCollection = errors.New("no such collection")
	// ErrNotSharded: the collection is not sharded.
	ErrNotSharded = apply.ErrNotSharded
	// ErrNotShardable: it is a view, a time series collection or something else that cannot be sharded by a zone key.
	ErrNotShardable = errors.New("the namespace cannot be sharded")
	// ErrOtherKey: the collection is sharded by another key.
	ErrOtherKey = errors.New("the collection is sharded by another key")
	// ErrNotEmpty: a collection was to be sharded that has documents already.
	ErrNotEmpty = errors.New("the collection has documents")
	// ErrUnsupportedKey: a shard key has another order than 1 and "hashed".
	ErrUnsupportedKey = errors.New("this kind of shard key is not supported")
	// ErrUnsettled: the chunks changed so often that no whole table of them could be read.
	ErrUnsettled = errors.New("the chunks change faster than they can be read")
	// ErrRoleExists: there is a role of that name already.
	ErrRoleExists = errors.New("the role exists already")
)

// An Error says what was attempted, why it did not work and what to do.
type Error struct {
	// What was attempted, with its subject: "add the range … of shop.carts to zone LON".
	What string
	// Kind is one of the errors above or topology.ErrNoQueryRouter, nil for any other reason.
	Kind error
	// Err is what the server or the driver said, nil if the kind says it all.
	Err  error
	hint string // may be empty
}

// Error returns everything but the hint. The server quotes bounds as they are; the end of a tight range has a zero byte, which no terminal shows.
func (e *Error) Error() string {
	text := e.What
	for _, err := range e.Unwrap() {
		reason := err.Error()
		if e.Kind == ErrNotAllowed { // the server quotes the whole command, with session and signature
			reason, _, _ = strings.Cut(reason, " to execute command")
		}
		text += ": " + reason
	}
	return strings.ReplaceAll(text, "\x00", `\u0000`)
}

// Unwrap returns the kind and what the server said.
func (e *Error) Unwrap() []error {
	return slices.DeleteFunc([]error{e.Kind, e.Err}, func(err error) bool { return err == nil })
}

// Hint returns what to do next, or "".
func (e *Error) Hint() string { return e.hint }

// The server's error codes that mean the same whatever was asked.
const (
	codeFailedToParse        = 9
	codeUserNotFound         = 11
	codeUnauthorized         = 13
	codeAuthenticationFailed = 18
	codeIllegalOperation     = 20
	codeAlreadyInitialized   = 23
	codeNamespaceNotFound    = 26
	codeCommandNotFound      = 59
	codeShardKeyNotFound     = 61
	codeShardNotFound        = 70
	codeInvalidOptions       = 72
	codeCommandNotSupported  = 115
	codeNotSharded           = 118
	codeZoneStillInUse       = 163
	codeNotSupportedOnView   = 166
	codeZoneNotFound         = 177
	codeRangeOverlap         = 178
	codeAPIStrict            = 323
	codeAtlas                = 8000
	codeRoleExists           = 51002
	codeUnknownStage         = 40324
)

// A meaning is what a server's error code says, and what to do about it.
type meaning struct {
	kind error
	hint string
}

// of is the error of what was attempted; err may be nil.
func (m meaning) of(what string, err error) *Error {
	return &Error{What: what, Kind: m.kind, Err: err, hint: m.hint}
}

// Codes that mean many things, but one for a command.
var (
	badBounds   = meaning{ErrBadBounds, "make the plan anew; a hashed field takes MinKey, MaxKey and 64-bit integers alone, and the minimum lies below the maximum"}
	unshardable = meaning{ErrNotShardable, "views, time series and internal collections have no zones and no validator: take it out of the topology"}
)

// meant gives an error its kind where one of the codes has no meaning of its own.
func meant(err error, m meaning, codes ...int) error {
	if known := (*Error)(nil); errors.As(err, &known) && known.Kind == nil && slices.Contains(codes, codeOf(err)) {
		known.Kind, known.hint = m.kind, m.hint
	}
	return err
}

var meanings = map[int]meaning{
	codeAuthenticationFailed: {ErrLogin, "check name, password and authSource of the connection string; X.509 needs authMechanism=MONGODB-X509 and the client's certificate"},
	codeUserNotFound:         {ErrLogin, "the certificate is good, but nobody is its user: create one of that name in the database $external"},
	codeAlreadyInitialized:   {ErrOtherKey, "declare the key that the collection has, or change its key with reshardCollection"},
	codeNamespaceNotFound:    {ErrNoCollection, "create the collection first, or correct its name in the topology"},
	codeCommandNotSupported:  {ErrUnsupported, "see the manual of this server or service for what stands in for the command"},
	codeShardKeyNotFound:     {ErrBadBounds, "bounds have the fields of the shard key in their order: make the plan anew"},
	codeShardNotFound:        {ErrShardNotFound, "compare the shards of the topology with those that listShards names"},
	codeNotSharded:           {ErrNotSharded, "shard the collection first"},
	codeZoneStillInUse:       {ErrZoneInUse, "take away the zone's ranges or give the zone another shard first"},
	codeNotSupportedOnView:   {ErrNotShardable, "declare the collection behind the view"},
	codeZoneNotFound:         {ErrZoneNotFound, "put a shard into the zone first"},
	codeRangeOverlap:         {ErrOverlap, "somebody changed the ranges since the plan was made: make it anew"},
	codeAPIStrict:            {ErrUnsupported, "leave the strict mode of the Stable API off: commands that administer sharding are not in it"},
	codeAtlas: {ErrUnsupported, "the managed service keeps the command to itself: make the change in the service's own console or API (zone mappings of a global cluster), " +
		"then plan again; reading and verifying work with a user that may read the config database"},
	codeCommandNotFound: {ErrUnsupported, "it takes MongoDB 6.0 or newer; a managed service may have taken the command away, then use its console"},
	codeUnknownStage:    {ErrUnsupported, "it takes MongoDB 6.0.3 or newer"},
}

// codeOf is the code of a server's error that is in the table, or that of the last resort: 0.
func codeOf(err error) int {
	var answer mongo.ServerError
	if !errors.As(err, &answer) || len(answer.ErrorCodes()) == 0 {
		return 0
	}
	return answer.ErrorCodes()[0]
}

// refused reports whether the server will not do a thing, however often it is asked: it is not allowed, or not there.
func refused(err error) bool {
	code := codeOf(err)
	return code == codeUnauthorized || meanings[code].kind == ErrUnsupported
}

// fail makes an *Error of what a command failed with. on is what the command was about: a namespace, or "" for the cluster.
func (c *Catalog) fail(what, command, on string, err error) error {
	if err == nil {
		return nil
	}
	if known := (*Error)(nil); errors.As(err, &known) {
		return err
	}
	e := &Error{What: what, Err: redact.Error(err, c.uri, c.secret)}
	code := codeOf(err)
	_, selecting := lastError(err)
	switch m, known := meanings[code]; {
	case code == codeUnauthorized:
		e.Kind, e.hint = ErrNotAllowed, command+" needs "+privilegeFor(command, on)+": have it granted to the user, for example by a role of geoshard's (geoshard roles)"
		if c.options != nil && c.options.Auth == nil {
			e.hint = "nobody has logged in: put user and password into the connection string; " + e.hint
		}
	case known:
		e.Kind, e.hint = m.kind, m.hint
		if m.kind == ErrUnsupported {
			e.What += " by " + command
		}
	case passing.Answer(err):
		e.hint = "the servers elect a primary, or are busy with another command: look at geoshard status, then try again"
	case mongo.IsNetworkError(err) || mongo.IsTimeout(err) || selecting:
		e.Kind, e.hint = ErrUnreachable, "look whether the query router runs and can be reached from here, then try again"
	}
	return e
}

// ignored is the error of a change that left no trace. found is what the catalogue has instead.
func ignored(what, found string) *Error {
	return &Error{What: what, Kind: ErrIgnored, Err: errors.New(found), hint: "somebody else may be changing the zones at the same time: make the plan anew and apply that"}
}
