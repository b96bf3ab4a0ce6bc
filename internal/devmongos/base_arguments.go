package devmongos

import (
	"bytes"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// The codes here are what a 6.0 server answers to the same mistakes: drivers' users meet them in their tests.

// codeMissingField is the server's code for a required argument that is not there; it has no name.
const codeMissingField = 40414

func missingField(command, name string) error {
	return refuse(codeMissingField, "BSON field '%s.%s' is missing but a required field", command, name)
}

func wrongType(command, name string, got bsoncore.Type, want string) error {
	return refuse(codeTypeMismatch, "BSON field '%s.%s' is the wrong type '%s', expected type '%s'", command, name, got, want)
}

// needs checks that a command has an argument of that type.
func needs(name string, want bsoncore.Type) func(body bsoncore.Document) error {
	return func(body bsoncore.Document) error {
		switch got := field(body, name).Type; got {
		case want:
			return nil
		case 0:
			return missingField(nameOf(body), name)
		default:
			return wrongType(nameOf(body), name, got, want.String())
		}
	}
}

func checkFind(body bsoncore.Document) error {
	if v := field(body, "find"); v.Type != bsoncore.TypeString && v.Type != bsoncore.TypeBinary {
		return refuse(codeBadValue, "collection name has invalid type %s", v.Type)
	}
	return nil
}

func checkGetMore(body bsoncore.Document) error {
	if _, ok := field(body, "getMore").AsInt64OK(); !ok {
		return refuse(codeTypeMismatch, "getMore needs a cursor id")
	}
	if err := needs("collection", bsoncore.TypeString)(body); err != nil {
		return err
	}
	if stringField(body, "collection") == "" {
		return refuse(codeInvalidNamespace, "Collection names cannot be empty")
	}
	return nil
}

func checkKillCursors(body bsoncore.Document) error {
	if err := needs("cursors", bsoncore.TypeArray)(body); err != nil {
		return err
	}
	for e := range elements(field(body, "cursors").Data) {
		if e.value.Type != bsoncore.TypeInt64 {
			return wrongType("killCursors", "cursors."+string(e.name), e.value.Type, "long")
		}
	}
	return nil
}

// checkLimits refuses the whole command, as the server does: nothing of it is executed.
func checkLimits(deletes []bsoncore.Document) error {
	for _, statement := range deletes {
		if limit := intField(statement, "limit"); limit != 0 && limit != 1 {
			return refuse(codeFailedToParse, "The limit field in delete objects must be 0 or 1. Got %d", limit)
		}
	}
	return nil
}

// refuseUnsafe refuses what leaves a cursor open that waits for more: MongoDB's merging of cursors, run inside the core, aborts the process when
// a shard has nothing to tell (an invariant in src/mongo/db/client.cpp: the thread that asks again is no client's). That are change
// streams, and tailable cursors that do not go to a member directly. The body is a find or aggregate command, of a client's or the core's.
func refuseUnsafe(body bsoncore.Document) error {
	if boolField(body, "tailable") {
		return refuse(codeCommandNotSupported, "tailable cursors with this read preference are not supported by the development query router")
	}
	if hasChangeStream(field(body, "pipeline")) {
		return refuse(codeCommandNotSupported, "change streams are not supported by the development query router")
	}
	return nil
}

// hasChangeStream looks for the stage in a pipeline and in those inside it.
func hasChangeStream(pipeline bsoncore.Value) bool {
	const changeStream = "$changeStream"
	if pipeline.Type != bsoncore.TypeArray || !bytes.Contains(pipeline.Data, []byte(changeStream)) {
		return false
	}
	for stage := range elements(pipeline.Data) {
		for e := range elements(stage.value.Data) {
			inner, _ := e.value.DocumentOK()
			switch string(e.name) {
			case changeStream:
				return true
			case "$lookup", "$unionWith":
				if hasChangeStream(field(inner, "pipeline")) {
					return true
				}
			case "$facet":
				for facet := range elements(inner) {
					if hasChangeStream(facet.value) {
						return true
					}
				}
			}
		}
	}
	return false
}
