package homeguard

import (
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/shardkey"
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

// eachStatement takes a command apart that is about to be sent. Malformed parts are passed over: the server will refuse them.
func eachStatement(kind command, db string, cmd bson.Raw, here topology.DatacenterID, visit func(statement)) {
	collection, _ := textAt(cmd, commandNameOf(cmd))
	s := statement{command: kind, namespace: db + "." + collection, collation: documentAt(cmd, "collation")}
	if kind.reads() {
		s.reach = reachOf(cmd, here)
	}
	switch kind {
	case findCommand:
		s.filter = documentAt(cmd, "filter")
	case aggregateCommand:
		s.filter = matchOf(arrayAt(cmd, "pipeline"))
	case countCommand, distinctCommand, findAndModifyCommand:
		s.filter = documentAt(cmd, "query")
	case updateCommand, deleteCommand:
		for one := range arrayAt(cmd, commandNames[kind]+"s").documents {
			s.filter, s.collation = documentAt(one, "q"), documentAt(one, "collation")
			visit(s)
		}
		return
	case insertCommand:
		for s.filter = range arrayAt(cmd, "documents").documents {
			visit(s)
		}
		return
	case bulkWriteCommand:
		eachOfBulk(cmd, visit)
		return
	default:
		return
	}
	visit(s)
}

// reads says that members other than the primary may answer the command.
func (c command) reads() bool {
	return c == findCommand || c == aggregateCommand || c == countCommand || c == distinctCommand
}

// eachOfBulk takes a bulkWrite of MongoDB 8 apart: its operations name their kind with the number of a namespace.
func eachOfBulk(cmd bson.Raw, visit func(statement)) {
	var namespaces []string
	for info := range arrayAt(cmd, "nsInfo").documents {
		ns, _ := textAt(info, "ns")
		namespaces = append(namespaces, ns)
	}
	for op := range arrayAt(cmd, "ops").documents {
		kind := commandNameOf(op)
		number, ok := valueAt(op, kind).AsInt64OK()
		if !ok || number < 0 || number >= int64(len(namespaces)) {
			continue
		}
		s := statement{command: commandsByName[kind], namespace: namespaces[number], collation: documentAt(op, "collation")}
		switch s.command {
		case insertCommand:
			s.filter = documentAt(op, "document")
		case updateCommand, deleteCommand:
			s.filter = documentAt(op, "filter")
		default:
			continue
		}
		visit(s)
	}
}

// reachOf reads a command's read preference. In a transaction there is none but primary.
func reachOf(cmd bson.Raw, here topology.DatacenterID) reach {
	if inTransaction(cmd) {
		return primaries
	}
	preference := documentAt(cmd, "$readPreference")
	mode, _ := textAt(preference, "mode")
	wanted, _ := textAt(documentAt(bson.Raw(arrayAt(preference, "tags")), "0"), datacenterTag)
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
func matchOf(pipeline array) bson.Raw {
	var leading []bson.Raw
	for stage := range pipeline.documents {
		if match := documentAt(stage, "$match"); match != nil {
			leading = append(leading, match)
			continue
		}
		if near := documentAt(documentAt(stage, "$geoNear"), "query"); near != nil && len(leading) == 0 {
			leading = append(leading, near)
		}
		break
	}
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
	v, _ := shardkey.Field(doc, name)
	return v
}

func documentAt(doc bson.Raw, name string) bson.Raw {
	v := valueAt(doc, name)
	if v.Type != bson.TypeEmbeddedDocument {
		return nil
	}
	return v.Value
}

func textAt(doc bson.Raw, name string) (string, bool) { return valueAt(doc, name).StringValueOK() }

// An array is one of BSON.
type array bson.Raw

func arrayAt(doc bson.Raw, name string) array {
	v := valueAt(doc, name)
	if v.Type != bson.TypeArray {
		return nil
	}
	return v.Value
}

// documents visits the documents of an array.
func (a array) documents(yield func(bson.Raw) bool) {
	for _, v := range shardkey.Elements(a) {
		if v.Type == bson.TypeEmbeddedDocument && !yield(v.Value) {
			return
		}
	}
}
