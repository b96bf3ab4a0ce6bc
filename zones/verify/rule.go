package verify

import (
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
)

// A rule gives documents of a namespace their zone. The servers evaluate it.
type rule struct {
	world *topology.Topology
	ns    topology.Namespace
	// class is an expression whose value is the zone that the file gives to a document, or unknownClass.
	class bson.M
}

// unknownClass is the class of documents to whose value the file gives no zone. No zone has an empty name.
const unknownClass = ""

func newRule(world *topology.Topology, ns topology.Namespace) (rule, error) {
	field := "$" + ns.ZoneBy
	var branches bson.A
	add := func(when bson.M, zone topology.ZoneID) {
		branches = append(branches, bson.M{"case": when, "then": literal(string(zone))})
	}
	for _, r := range ns.Ranges {
		when, err := covered(field, r)
		if err != nil {
			return rule{}, fmt.Errorf("range of zone %s of %s: %w", r.Zone, ns.Name, err)
		}
		add(when, r.Zone)
	}
	if !ns.OnlyRanges {
		for _, zone := range world.Zones {
			add(bson.M{"$eq": bson.A{field, literal(string(zone.ID))}}, zone.ID)
		}
	}
	class := literal(unknownClass)
	if len(branches) > 0 {
		class = bson.M{"$switch": bson.M{"branches": branches, "default": class}}
	}
	return rule{world, ns, class}, nil
}

// covered is true for the values of a range. Expressions compare across types, as ranges of shard keys do.
func covered(field string, r topology.Range) (bson.M, error) {
	var values bson.A
	for _, v := range r.Values {
		value, err := bsonOf(v)
		if err != nil {
			return nil, err
		}
		values = append(values, literal(value))
	}
	if len(values) > 0 {
		return bson.M{"$in": bson.A{field, values}}, nil
	}
	var both bson.A
	for _, side := range []struct {
		operator string
		value    *topology.Value
	}{{"$gte", r.From}, {"$lt", r.To}} {
		if side.value == nil {
			continue
		}
		value, err := bsonOf(*side.value)
		if err != nil {
			return nil, err
		}
		both = append(both, bson.M{side.operator: bson.A{field, literal(value)}})
	}
	return bson.M{"$and": both}, nil
}

// literal keeps a value from being read as an expression: "$x" would be a field.
func literal(v any) bson.M { return bson.M{"$literal": v} }

func bsonOf(v topology.Value) (any, error) {
	switch v.Kind() {
	case topology.KindString:
		return v.Text(), nil
	case topology.KindInteger:
		return v.Integer(), nil
	case topology.KindFloat:
		return v.Float(), nil
	case topology.KindDate:
		return bson.NewDateTimeFromTime(v.Date()), nil
	case topology.KindUUID:
		id := v.UUID()
		return bson.Binary{Subtype: bson.TypeBinaryUUID, Data: id[:]}, nil
	case topology.KindObjectID:
		return bson.ObjectID(v.ObjectID()), nil
	default:
		return nil, fmt.Errorf("value %s has no known type", v)
	}
}

// is filters the documents of one class.
func (r rule) is(class string) bson.M {
	return bson.M{"$expr": bson.M{"$eq": bson.A{r.class, literal(class)}}}
}

// zone is where the documents of a class belong; ok is false for those that may be anywhere.
func (r rule) zone(class string) (_ topology.Zone, ok bool) {
	id := topology.ZoneID(class)
	if class == unknownClass {
		id = r.ns.UnknownZone // empty, which no zone is, unless the file names one
	}
	return r.world.Zone(id)
}

// outside says whether documents of a class must not be on a shard.
func (r rule) outside(class string, shard topology.ShardID) bool {
	zone, ok := r.zone(class)
	return ok && !slices.Contains(zone.Shards, shard)
}

// classes are all values that class can have.
func (r rule) classes() []string {
	all := []string{unknownClass}
	for _, zone := range r.world.Zones {
		all = append(all, string(zone.ID))
	}
	return all
}
