package directory

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/tag"

	"github.com/geoshard/geoshard/placement"
	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/topology"
)

// Options say which records are looked up. All but ID are required.
type Options struct {
	// Client leads to a query router.
	Client *mongo.Client
	// World declares Namespace, a collection.
	World     *topology.Topology
	Namespace string
	// Here is the datacenter whose copies Home asks.
	Here topology.DatacenterID
	// ID is the field with the identifier: a string, or one of the values that [Identifiers] lists. Empty = the second field of the shard key.
	ID string
}

// ErrUnusable means that the records of a namespace cannot be looked up.
var ErrUnusable = errors.New("records of this namespace cannot be looked up")

// A Directory looks records up. It is safe for concurrent use.
type Directory struct {
	near, sure *mongo.Collection
	zone, id   string
	// homes are the values of the zone field, where the topology lists them all: with them the search uses the shard key's index.
	homes bson.A
}

var _ router.Directory = (*Directory)(nil)

// New makes a directory. It asks no server.
func New(o Options) (*Directory, error) {
	ns, ok := topology.Namespace{}, false
	if o.World != nil {
		ns, ok = o.World.NamespaceOf(o.Namespace)
	}
	db, name, dotted := strings.Cut(o.Namespace, ".")
	switch {
	case o.Client == nil || o.Here == "":
		return nil, fmt.Errorf("%w: Client and Here are required", ErrUnusable)
	case !ok || !dotted || strings.HasSuffix(name, "*"):
		return nil, fmt.Errorf("%w: %q is no collection of the topology", ErrUnusable, o.Namespace)
	}
	if o.ID == "" {
		if len(ns.Key) < 2 {
			return nil, fmt.Errorf("%w: the shard key of %s has no second field, so name the field with the identifier", ErrUnusable, o.Namespace)
		}
		o.ID = ns.Key[1].Name
	}
	collection := func(level *readconcern.ReadConcern, from *readpref.ReadPref) *mongo.Collection {
		return o.Client.Database(db).Collection(name, options.Collection().SetReadConcern(level).SetReadPreference(from))
	}
	here := readpref.Nearest(readpref.WithTagSets(tag.Set{{Name: "dc", Value: string(o.Here)}}, tag.Set{})) // without a copy here, any
	near, sure := collection(readconcern.Local(), here), collection(readconcern.Snapshot(), readpref.PrimaryPreferred())
	return &Directory{near: near, sure: sure, zone: ns.ZoneBy, id: o.ID, homes: homesOf(o.World, ns)}, nil
}

// homesOf are all values that documents of a namespace can have in their zone field; nil where the topology does not list them.
func homesOf(world *topology.Topology, ns topology.Namespace) bson.A {
	if ns.Unknown != topology.UnknownReject {
		return nil
	}
	var homes bson.A
	for _, r := range placement.RangesOf(world, ns) {
		if len(r.Values) == 0 || r.Values[0].Kind() != topology.KindString {
			return nil
		}
		homes = append(homes, r.Values[0].Text())
	}
	return homes
}

// Home asks copies in this datacenter. It returns router.ErrNoSuchRecord where they have no such record, which may be because they are behind.
func (d *Directory) Home(ctx context.Context, id string) (string, error) {
	return d.find(ctx, d.near, id)
}

// HomeNow asks for what a majority of each shard has, at one moment. It returns router.ErrNoSuchRecord where there is no such record.
func (d *Directory) HomeNow(ctx context.Context, id string) (string, error) {
	return d.find(ctx, d.sure, id)
}

// Identifiers are the values that an identifier of a handle may stand for in the database: the string itself, and where it is written like one of them an
// ObjectID (24 hexadecimal digits in small letters), a UUID (binary of subtype 4; 8-4-4-4-12 digits in small letters) or a whole number.
func Identifiers(id string) bson.A {
	values := bson.A{id}
	if object, err := bson.ObjectIDFromHex(id); err == nil && object.Hex() == id {
		values = append(values, object)
	}
	if u, err := uuid.Parse(id); err == nil && u.String() == id {
		values = append(values, bson.Binary{Subtype: bson.TypeBinaryUUID, Data: u[:]})
	}
	if n, err := strconv.ParseInt(id, 10, 64); err == nil && strconv.FormatInt(n, 10) == id {
		values = append(values, n)
	}
	return values
}

func (d *Directory) find(ctx context.Context, in *mongo.Collection, id string) (string, error) {
	filter := bson.D{{Key: d.id, Value: bson.D{{Key: "$in", Value: Identifiers(id)}}}}
	if d.homes != nil {
		filter = append(bson.D{{Key: d.zone, Value: bson.D{{Key: "$in", Value: d.homes}}}}, filter...)
	}
	raw, err := in.FindOne(ctx, filter, options.FindOne().SetProjection(bson.D{{Key: d.zone, Value: 1}})).Raw()
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return "", router.ErrNoSuchRecord
	case err != nil:
		return "", fmt.Errorf("look up %s in %s: %w", d.id, in.Name(), err)
	}
	value, err := raw.LookupErr(strings.Split(d.zone, ".")...)
	home, isText := value.StringValueOK()
	if err != nil || !isText {
		return "", fmt.Errorf("look up %s in %s: the record's %s is no string", d.id, in.Name(), d.zone)
	}
	return home, nil
}
