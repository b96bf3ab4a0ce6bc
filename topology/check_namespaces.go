package topology

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of MongoDB: bytes of a database's name and of a sharded collection's full name, fields of an index.
const (
	maxDatabase  = 63
	maxNamespace = 235
	maxKeyFields = 32
)

func (c *checker) namespaces() {
	seen, databases := map[string]bool{}, map[string]string{}
	for _, ns := range c.Namespaces {
		path := "namespaces" + step(ns.Name)
		if !c.sound(path) {
			continue
		}
		if seen[ns.Name] {
			c.errorf(path, "keep one of them", "the namespace %q comes twice", excerpt(ns.Name))
		}
		seen[ns.Name] = true
		if wrong := wrongNamespace(ns.Name); wrong != "" {
			c.errorf(path, "write database.collection, such as shop.carts", "namespace %q: %s", excerpt(ns.Name), wrong)
		}
		db, _, _ := strings.Cut(ns.Name, ".")
		folded := strings.ToLower(db)
		if other, known := databases[folded]; known && other != db {
			c.errorf(path, fmt.Sprintf("write it as one of %s and %s", other, db), "the databases %s and %s differ in case alone, which MongoDB does not allow", other, db)
		} else {
			databases[folded] = db
		}
		if ns.OnlyRanges && len(ns.Ranges) == 0 && ns.Unknown != UnknownToZone && c.sound(path+".ranges") {
			c.errorf(path+".onlyRanges", "give it ranges, or leave out onlyRanges", "with onlyRanges and without ranges, no document has a zone")
		}
		if len(c.Zones) == 0 {
			c.errorf(path, "declare zones", "there are no zones for its documents")
		}
		c.key(path+".key", ns.Key)
		c.zoneBy(path+".zoneBy", ns)
		c.unknown(path, ns)
		c.ranges(path+".ranges", ns)
		c.related(path+".related", ns)
	}
}

// CollectionProblem says what keeps a collection's name from being declared, or "": a name that ends in ".*" would stand for others.
func CollectionProblem(name string) string {
	if strings.HasSuffix(name, ".*") {
		return "it would stand for all collections below " + strings.TrimSuffix(name, "*")
	}
	return wrongNamespace(name)
}

// wrongNamespace says what is wrong with a namespace's name, or "".
func wrongNamespace(name string) string {
	db, coll, found := strings.Cut(name, ".")
	switch {
	case !found || db == "" || coll == "":
		return "want a database and a collection"
	case !printable(name):
		return "it cannot be printed"
	case strings.ContainsAny(db, `/\ "$*<>:|?`):
		return `a database's name holds none of / \ " $ * < > : | ? and no space`
	case len(db) > maxDatabase:
		return fmt.Sprintf("a database's name has at most %d bytes", maxDatabase)
	case slices.Contains([]string{"admin", "config", "local"}, db):
		return "the database " + db + " belongs to MongoDB"
	case strings.Contains(strings.TrimSuffix("."+coll, ".*"), "*"):
		return "a * stands for all collections, and only behind a dot at the end"
	case strings.Contains(coll, "$") || strings.HasPrefix(coll, "system.") || strings.HasPrefix(coll, "."):
		return `a collection's name holds no $ and begins neither with "system." nor with "."`
	case len(name) > maxNamespace:
		return fmt.Sprintf("a sharded collection's full name has at most %d bytes", maxNamespace)
	default:
		return ""
	}
}

func (c *checker) key(path string, key Key) {
	if len(key) == 0 {
		c.errorf(path, "", "the shard key has no fields")
	}
	if len(key) > maxKeyFields {
		c.errorf(path, "", "%d fields: MongoDB allows %d", len(key), maxKeyFields)
	}
	for i, f := range key {
		path := path + step(f.Name)
		if f.Hashed && slices.ContainsFunc(key[:i], func(other KeyField) bool { return other.Hashed }) {
			c.errorf(path, "", "a second hashed field: MongoDB allows one")
		}
		if slices.ContainsFunc(key[:i], func(other KeyField) bool { return other.Name == f.Name }) {
			c.errorf(path, "keep one of them", "the field %q comes twice", excerpt(f.Name))
		}
		c.fieldName(path, f.Name)
	}
}

// fieldName checks the name of a field, or the path to it.
func (c *checker) fieldName(path, name string) {
	for part := range strings.SplitSeq(name, ".") {
		if part == "" || part[0] == '$' || !printable(part) {
			c.errorf(path, "", "field name %q: want names joined by dots, that are not empty and do not begin with $", excerpt(name))
			return
		}
	}
}

func (c *checker) related(path string, ns Namespace) {
	for i, r := range ns.Related {
		path := at(path, i)
		if !c.sound(path) {
			continue
		}
		c.fieldName(path+".by", r.By)
		if r.Parent != "" {
			c.fieldName(path+".parent", r.Parent)
		}
		place := path + ".namespace"
		_, declared := c.NamespaceOf(r.Namespace)
		switch {
		case r.Namespace == ns.Name:
			c.errorf(place, "name another one", "the namespace is related to itself")
		case strings.HasSuffix(r.Namespace, "*"):
			c.errorf(place, "name one collection", "the pattern %q stands for many collections", excerpt(r.Namespace))
		case !declared:
			known(c, place, "namespace", r.Namespace, c.namespaceNames())
		case slices.ContainsFunc(ns.Related[:i], func(other Related) bool { return other.Namespace == r.Namespace }):
			c.errorf(place, "keep one of them", "the namespace %q comes twice", excerpt(r.Namespace))
		}
	}
}

// zoneBy has to lead the key: MongoDB's zone ranges are ranges of whole keys, so only a prefix can decide.
func (c *checker) zoneBy(path string, ns Namespace) {
	at := slices.IndexFunc(ns.Key, func(f KeyField) bool { return f.Name == ns.ZoneBy })
	switch {
	case len(ns.Key) == 0: // reported
	case at < 0:
		c.errorf(path, didYouMean(ns.ZoneBy, each(ns.Key, func(f KeyField) string { return f.Name })), "%q is not a field of the key %s", excerpt(ns.ZoneBy), ns.Key)
	case at > 0:
		c.errorf(path, fmt.Sprintf("put %s first", ns.ZoneBy), "%q is not the first field of the key %s, so no range of keys can follow it", ns.ZoneBy, ns.Key)
	case ns.Key[at].Hashed:
		c.errorf(path, "hash a later field of the key", "%q is hashed: hashing scatters the values that a zone should hold together", ns.ZoneBy)
	}
}

func (c *checker) unknown(path string, ns Namespace) {
	switch {
	case !c.named(path+".unknown", "policy for unknown values", ns.Unknown):
	case ns.Unknown == UnknownToZone && ns.UnknownZone == "":
		c.errorf(path+".unknown", "add unknownZone", "unknown: zone needs the zone that takes the documents")
	case ns.Unknown == UnknownToZone:
		c.knownZone(path+".unknownZone", ns.UnknownZone)
	case ns.UnknownZone != "":
		c.errorf(path+".unknownZone", "write unknown: zone, or leave out unknownZone", "unknownZone has no effect with unknown: %s", ns.Unknown)
	}
}
