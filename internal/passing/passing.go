package passing

import (
	"errors"
	"slices"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

// codes are those of src/mongo/base/error_codes.yml.
var codes = []int{
	6, 7, 89, // HostUnreachable, HostNotFound, NetworkTimeout
	91, 189, 11600, 11602, // ShutdownInProgress, PrimarySteppedDown, InterruptedAtShutdown, InterruptedDueToReplStateChange
	133,                 // FailedToSatisfyReadPreference: no primary yet
	10107, 13435, 13436, // NotWritablePrimary, NotPrimaryNoSecondaryOk, NotPrimaryOrSecondary
	// Of addShard by a mongos, from 8.2 on a coordinator (serverversion.AddShardCoordinator):
	// LockBusy, ConflictingOperationInProgress, ReadConcernMajorityNotAvailableYet,
	// NetworkInterfaceExceededTimeLimit, ExceededTimeLimit, AddOrRemoveShardInProgress,
	// SocketException.
	46, 117, 134, 202, 262, 414, 9001,
}

// Answer reports whether a server answered that it cannot do a thing at the moment.
func Answer(err error) bool { return HasCode(err, codes...) }

// HasCode reports whether a server answered with one of these codes.
func HasCode(err error, codes ...int) bool {
	var answer mongo.ServerError
	return errors.As(err, &answer) && slices.ContainsFunc(codes, answer.HasErrorCode)
}
