package homeguard

import (
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/topology"
)

// A command is one of the commands that the guard understands.
type command int

const (
	unknownCommand command = iota
	aggregateCommand
	bulkWriteCommand
	commitCommand
	countCommand
	deleteCommand
	distinctCommand
	findCommand
	findAndModifyCommand
	getMoreCommand
	insertCommand
	updateCommand
	commands
)

var commandNames = [commands]string{"unknown", "aggregate", "bulkWrite", "commitTransaction", "count", "delete", "distinct", "find", "findAndModify", "getMore", "insert",
	"update"}

var commandsByName = func() map[string]command {
	byName := map[string]command{"findandmodify": findAndModifyCommand} // the server takes this spelling, too
	for c := unknownCommand + 1; c < commands; c++ {
		byName[commandNames[c]] = c
	}
	return byName
}()

// A statement is one thing that an operation does to one collection: a read, one update of a batch, one inserted document.
type statement struct {
	command   command
	namespace string
	// filter is what it searches by; of an insert it is the document.
	filter    bson.Raw
	collation bson.Raw
	reach     reach
}

// insertion says that the filter is a document.
func (s statement) insertion() bool { return s.command == insertCommand }

// eachStatement takes a command apart that is about to be sent. Malformed parts are passed over: the server will refuse them.
func eachStatement(kind command, db string, cmd bson.Raw, here topology.DatacenterID, visit func(statement)) {
	collection, _ := textAt(cmd, commandNameOf(cmd))
	s := statement{command: kind, namespace: db + "." + collection, collation: documentAt(cmd, "collation")}
	switch kind {
	case findCommand:
		s.filter, s.reach = documentAt(cmd, "filter"), reachOf(cmd, here)
		visit(s)
	case aggregateCommand:
		s.filter, s.reach = matchOf(arrayAt(cmd, "pipeline")), reachOf(cmd, here)
		visit(s)
	case countCommand, distinctCommand:
		s.filter, s.reach = documentAt(cmd, "query"), reachOf(cmd, here)
		visit(s)
	case findAndModifyCommand:
		s.filter = documentAt(cmd, "query")
		visit(s)
	case updateCommand, deleteCommand:
		eachDocument(arrayAt(cmd, commandNames[kind]+"s"), func(one bson.Raw) {
			s.filter, s.collation = documentAt(one, "q"), documentAt(one, "collation")
			visit(s)
		})
	case insertCommand:
		eachDocument(arrayAt(cmd, "documents"), func(one bson.Raw) {
			s.filter = one
			visit(s)
		})
	case bulkWriteCommand:
		eachOfBulk(cmd, visit)
	}
}

// eachOfBulk takes a bulkWrite of MongoDB 8 apart: its operations name their kind with the number of a namespace.
func eachOfBulk(cmd bson.Raw, visit func(statement)) {
	var namespaces []string
	eachDocument(arrayAt(cmd, "nsInfo"), func(info bson.Raw) {
		ns, _ := textAt(info, "ns")
		namespaces = append(namespaces, ns)
	})
	eachDocument(arrayAt(cmd, "ops"), func(op bson.Raw) {
		first, err := op.IndexErr(0)
		if err != nil {
			return
		}
		number, ok := first.Value().AsInt64OK()
		if !ok || number < 0 || number >= int64(len(namespaces)) {
			return
		}
		s := statement{command: commandsByName[first.Key()], namespace: namespaces[number], collation: documentAt(op, "collation")}
		switch s.command {
		case insertCommand:
			s.filter = documentAt(op, "document")
		case updateCommand, deleteCommand:
			s.filter = documentAt(op, "filter")
		default:
			return
		}
		visit(s)
	})
}

// reachOf reads a command's read preference. In a transaction there is none but primary.
func reachOf(cmd bson.Raw, here topology.DatacenterID) reach {
	if inTransaction(cmd) {
		return primaries
	}
	preference := documentAt(cmd, "$readPreference")
	mode, _ := textAt(preference, "mode")
	wanted := ""
	if tags := arrayAt(preference, "tags"); len(tags) > 0 {
		first := true
		eachDocument(tags, func(set bson.Raw) {
			if first {
				wanted, _ = textAt(set, datacenterTag)
			}
			first = false
		})
	}
	return reachWith(mode, wanted, here)
}

// datacenterTag is the tag of members with the name of their datacenter.
const datacenterTag = "dc"

// reachWith is the reach of a read preference whose first tag set wants a datacenter ("" for none). One that wants another datacenter than here is not answered here, so
// it counts like a primary's.
func reachWith(mode, wanted string, here topology.DatacenterID) reach {
	if wanted != "" && wanted != string(here) {
		return primaries
	}
	switch mode {
	case "secondary", "secondaryPreferred":
		return secondaries
	case "nearest":
		return nearest
	default:
		return primaries
	}
}

func inTransaction(cmd bson.Raw) bool {
	auto, ok := valueAt(cmd, "autocommit").BooleanOK()
	return ok && !auto
}

// matchOf is the filter with which a pipeline begins: that of its leading $match stages, which the server joins, or of $geoNear. It is empty where there is none.
func matchOf(pipeline bson.Raw) bson.Raw {
	var leading []bson.Raw
	open := true
	eachDocument(pipeline, func(stage bson.Raw) {
		if !open {
			return
		}
		if match := documentAt(stage, "$match"); match != nil {
			leading = append(leading, match)
			return
		}
		open = false
		if near := documentAt(documentAt(stage, "$geoNear"), "query"); near != nil && len(leading) == 0 {
			leading = append(leading, near)
		}
	})
	switch len(leading) {
	case 0:
		return nil
	case 1:
		return leading[0]
	default:
		return document(bson.D{{Key: "$and", Value: leading}})
	}
}

func commandNameOf(cmd bson.Raw) string {
	first, err := cmd.IndexErr(0)
	if err != nil {
		return ""
	}
	return first.Key()
}

// valueAt is the value of a field, the zero value if there is none.
func valueAt(doc bson.Raw, name string) bson.RawValue {
	if len(doc) == 0 {
		return bson.RawValue{}
	}
	v, err := bsoncore.Document(doc).LookupErr(name)
	if err != nil {
		return bson.RawValue{}
	}
	return bson.RawValue{Type: bson.Type(v.Type), Value: v.Data}
}

func documentAt(doc bson.Raw, name string) bson.Raw {
	v := valueAt(doc, name)
	if v.Type != bson.TypeEmbeddedDocument {
		return nil
	}
	return v.Value
}

func arrayAt(doc bson.Raw, name string) bson.Raw {
	v := valueAt(doc, name)
	if v.Type != bson.TypeArray {
		return nil
	}
	return v.Value
}

func textAt(doc bson.Raw, name string) (string, bool) { return valueAt(doc, name).StringValueOK() }

// eachDocument visits the documents of an array.
func eachDocument(array bson.Raw, visit func(bson.Raw)) {
	eachField(array, func(_ []byte, v bson.RawValue) {
		if v.Type == bson.TypeEmbeddedDocument {
			visit(v.Value)
		}
	})
}

// eachField visits the fields of a document or an array up to malformed bytes, without allocating.
func eachField(doc bson.Raw, visit func(name []byte, v bson.RawValue)) {
	if len(doc) < 5 {
		return
	}
	for rest := []byte(doc[4:]); ; {
		element, after, ok := bsoncore.ReadElement(rest)
		if !ok {
			return
		}
		value, err := element.ValueErr()
		if err != nil {
			return
		}
		visit(element.KeyBytes(), bson.RawValue{Type: bson.Type(value.Type), Value: value.Data})
		rest = after
	}
}
