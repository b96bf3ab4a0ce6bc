package devmongos

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// The server's error codes that the router gives or acts upon; names as in the server's error_codes.yml.
const (
	codeInternalError        = 1
	codeBadValue             = 2
	codeHostUnreachable      = 6
	codeFailedToParse        = 9
	codeUnauthorized         = 13
	codeProtocolError        = 17
	codeAuthenticationFailed = 18
	codeTypeMismatch         = 14
	codeInvalidLength        = 16
	codeIllegalOperation     = 20
	codeNamespaceNotFound    = 26
	codeLockTimeout          = 24
	codeCursorNotFound       = 43
	codeNamespaceExists      = 48
	codeMaxTimeMSExpired     = 50
	codeCommandNotFound      = 59
	codeShardKeyNotFound     = 61
	codeShardNotFound        = 70
	codeInvalidOptions       = 72
	codeInvalidNamespace     = 73
	codeNetworkTimeout       = 89
	codeShutdownInProgress   = 91
	codeWriteConflict        = 112
	codeCommandNotSupported  = 115
	codeConflictingOperation = 117
	codeNamespaceNotSharded  = 118
	codeNoReadPreference     = 133 // FailedToSatisfyReadPreference
	codeExceededMemoryLimit  = 146
	codeStaleEpoch           = 150
	codeViewOnShard          = 169 // CommandOnShardedViewNotSupportedOnMongod
	codeSteppedDown          = 189
	codeNoConnection         = 202 // NetworkInterfaceExceededTimeLimit
	codeTransactionTooOld    = 225
	codeSnapshotTooOld       = 239
	codeSnapshotUnavailable  = 246
	codeStaleDbVersion       = 249
	codeStaleChunkHistory    = 250
	codeNoSuchTransaction    = 251
	codeTransactionCommitted = 256
	codeNotInTransaction     = 263 // OperationNotSupportedInTransaction
	codePreparedInProgress   = 267
	codeWouldChangeOwner     = 283 // WouldChangeOwningShard
	codeMigrationConflict    = 316
	codeShardInvalidated     = 412 // ShardInvalidatedForTargeting
	codeLegacyNotPrimary     = 10058
	codeNotWritablePrimary   = 10107
	codeInterrupted          = 11601
	codeInterruptedShutdown  = 11600
	codeInterruptedRepl      = 11602
	codeStaleConfig          = 13388
	codeNotPrimaryNoSecond   = 13435
	codeNotPrimaryNorSecond  = 13436
	codeDistinctTooBig       = 17217
	labelRetryableWriteError = "RetryableWriteError"
)

var codeNames = map[int32]string{
	codeInternalError: "InternalError", codeBadValue: "BadValue", codeHostUnreachable: "HostUnreachable",
	codeFailedToParse: "FailedToParse", codeTypeMismatch: "TypeMismatch", codeInvalidLength: "InvalidLength", codeIllegalOperation: "IllegalOperation",
	codeCursorNotFound: "CursorNotFound", codeMaxTimeMSExpired: "MaxTimeMSExpired", codeCommandNotFound: "CommandNotFound",
	codeShardKeyNotFound: "ShardKeyNotFound", codeShardNotFound: "ShardNotFound", codeInvalidOptions: "InvalidOptions",
	codeInvalidNamespace: "InvalidNamespace", codeNetworkTimeout: "NetworkTimeout", codeShutdownInProgress: "ShutdownInProgress",
	codeNoReadPreference: "FailedToSatisfyReadPreference", codeNotInTransaction: "OperationNotSupportedInTransaction",
	codeProtocolError: "ProtocolError", codeAuthenticationFailed: "AuthenticationFailed",
	codeUnauthorized: "Unauthorized", codeCommandNotSupported: "CommandNotSupported", codeNamespaceNotFound: "NamespaceNotFound", codeNamespaceNotSharded: "NamespaceNotSharded",
	codeNamespaceExists: "NamespaceExists", codeWriteConflict: "WriteConflict", codeConflictingOperation: "ConflictingOperationInProgress",
	codeExceededMemoryLimit: "ExceededMemoryLimit", codeTransactionTooOld: "TransactionTooOld", codeNoSuchTransaction: "NoSuchTransaction",
	codeTransactionCommitted: "TransactionCommitted", codeStaleChunkHistory: "StaleChunkHistory",
	codeInterrupted: "Interrupted", codeStaleConfig: "StaleConfig", codeStaleDbVersion: "StaleDbVersion",
}

// A commandError is an answer with ok: 0 that the router itself gives.
type commandError struct {
	Code    int32
	Message string
	Labels  []string
}

func (e *commandError) Error() string { return e.Message }

func refuse(code int32, format string, args ...any) error {
	return &commandError{Code: code, Message: fmt.Sprintf(format, args...)}
}

// A replyError is a server's own answer with ok: 0, which goes to the client as it is.
type replyError struct{ doc bsoncore.Document }

func (e *replyError) Error() string {
	return fmt.Sprintf("%s (code %d)", stringField(e.doc, "errmsg"), codeOf(e.doc))
}

// answerIn is the server's own answer that an error is; nil for other errors.
func answerIn(err error) bsoncore.Document {
	var answered *replyError
	if errors.As(err, &answered) {
		return answered.doc
	}
	return nil
}

// A transportError says that a server gave no answer.
type transportError struct {
	Host string
	// Sent tells that the command may have been executed.
	Sent bool
	Err  error
}

func (e *transportError) Error() string { return fmt.Sprintf("ask %s: %v", e.Host, e.Err) }

func (e *transportError) Unwrap() error { return e.Err }

// asCommandError turns any error into what a client is told.
func asCommandError(err error) *commandError {
	var command *commandError
	var transport *transportError
	switch {
	case errors.As(err, &command):
		return command
	case errors.Is(err, context.DeadlineExceeded):
		return &commandError{Code: codeMaxTimeMSExpired, Message: "operation exceeded time limit: " + err.Error()}
	case errors.Is(err, context.Canceled):
		return &commandError{Code: codeShutdownInProgress, Message: "query router stops or client has gone"}
	case errors.Is(err, errNoDatabase):
		return &commandError{Code: codeNamespaceNotFound, Message: err.Error()}
	case errors.As(err, &transport):
		return &commandError{Code: codeHostUnreachable, Message: transport.Error()}
	default:
		return &commandError{Code: codeInternalError, Message: err.Error()}
	}
}

// errorReply is the document for err. A retryable write that failed on the way may be sent again, as its statements are
// remembered by the shards: its answer gets the label on which drivers do so, as a mongos' own network errors do.
func errorReply(err error, retryableWrite bool) bsoncore.Document {
	if answer := answerIn(err); answer != nil {
		return answer
	}
	e := asCommandError(err)
	labels := e.Labels
	if retryableWrite && (isRetryable(e.Code) || e.Code == codeNoReadPreference) && !slices.Contains(labels, labelRetryableWriteError) {
		labels = append(slices.Clone(labels), labelRetryableWriteError)
	}
	name := codeNames[e.Code]
	if name == "" {
		name = fmt.Sprintf("Location%d", e.Code)
	}
	return document("ok", 0.0, "errmsg", e.Message, "code", e.Code, "codeName", name, errorLabels(labels))
}

func errorLabels(labels []string) bson.D { return when(len(labels) > 0, "errorLabels", labels) }

// codeOf is the error code of an answer: 0 if it is ok, 8 (UnknownError) if it fails without a code.
func codeOf(doc bsoncore.Document) int32 {
	const unknownError = 8
	code := int32(unknownError)
	for e := range elements(doc) {
		switch string(e.name) {
		case "ok":
			if truth(e.value) {
				return 0
			}
		case "code":
			if c, ok := e.value.AsInt64OK(); ok {
				code = int32(c)
			}
		}
	}
	return code
}

// isStale tells that the router's idea of where data lives was out of date, and nothing was done.
func isStale(code int32) bool {
	switch code {
	case codeStaleConfig, codeStaleDbVersion, codeStaleEpoch, codeShardInvalidated:
		return true
	}
	return false
}

// staleError is the code of a *replyError that isStale; 0 for all other errors.
func staleError(err error) int32 {
	if code := codeOf(answerIn(err)); isStale(code) {
		return code
	}
	return 0
}

// isNotPrimary tells that the member is not, or no longer, the one to ask.
func isNotPrimary(code int32) bool {
	switch code {
	case codeNotWritablePrimary, codeNotPrimaryNoSecond, codeNotPrimaryNorSecond, codeInterruptedRepl, codeInterruptedShutdown,
		codeSteppedDown, codeShutdownInProgress, codeLegacyNotPrimary:
		return true
	}
	return false
}

// isRetryable lists the codes on which drivers send a retryable write again, as their specification has them.
func isRetryable(code int32) bool {
	const hostNotFound, exceededTimeLimit, socketException = 7, 262, 9001
	switch code {
	case codeHostUnreachable, hostNotFound, codeNetworkTimeout, exceededTimeLimit, socketException:
		return true
	}
	return isNotPrimary(code)
}

// errNoDatabase is returned for a database that does not exist.
var errNoDatabase = errors.New("database does not exist")

// isUnknownArgument lists the codes for stages and arguments that do not exist, or are missing.
func isUnknownArgument(code int32) bool {
	switch code {
	case 40323, 40324, 40414, 40415:
		return true
	}
	return false
}

const labelTransient = "TransientTransactionError"

// withTransientLabel gives an error of the router's own the label that a mongos would give it. Servers label theirs themselves.
func withTransientLabel(err error, ending bool) error {
	if err == nil || answerIn(err) != nil {
		return err
	}
	e := *asCommandError(err)
	if isTransient(e.Code, ending) && !slices.Contains(e.Labels, labelTransient) {
		e.Labels = append(slices.Clone(e.Labels), labelTransient)
	}
	return &e
}

// isTransient lists the codes of a failed statement, or of a failed commit or abort (ending), after which the whole transaction may
// be tried again: the server's isTransientTransactionError.
func isTransient(code int32, ending bool) bool {
	switch code {
	case codeWriteConflict, codeLockTimeout, codePreparedInProgress, codeSnapshotTooOld, codeSnapshotUnavailable, codeStaleChunkHistory,
		codeMigrationConflict, codeNoSuchTransaction:
		return true
	case codeNoReadPreference:
		return !ending
	}
	return isStale(code) || !ending && isRetryable(code)
}

// staleOf is the code by which a shard turned a single statement away, at the top or in its item; 0 if it did not.
func staleOf(answer bsoncore.Document) int32 {
	if answer == nil {
		return 0
	}
	if code := codeOf(answer); isStale(code) {
		return code
	}
	for _, v := range arrayValues(field(answer, "writeErrors")) {
		if code := int32(intField(v.Data, "code")); isStale(code) {
			return code
		}
	}
	return 0
}
