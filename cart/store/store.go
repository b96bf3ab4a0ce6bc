package store

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// Defaults of Options.
const (
	DefaultDatabase = "shop"
	DefaultField    = "dataCenter"
)

// The collections.
const (
	carts     = "carts"
	orders    = "orders"
	stock     = "stock"
	catalogue = "catalogue"
	notices   = "notices"
	cursors   = "cursors"
)

// A collection has the datacenter as the first field of its shard key, and a second one.
type collection struct{ name, second string }

var collections = []collection{{carts, "cartId"}, {orders, "orderId"}, {stock, "sku"}, {catalogue, "sku"}, {notices, "seq"}, {cursors, "name"}}

// Options say where the shop is. Client and DataCenter are required.
type Options struct {
	Client *mongo.Client
	// DataCenter is that of this process: reads that may go anywhere stay in it.
	DataCenter topology.DatacenterID
	// Database is empty for DefaultDatabase.
	Database string
	// Field is the name of the field with the datacenter, the first of every shard key; empty for DefaultField.
	Field string
}

// ErrIncomplete means that a required option is missing, or that the field's name is none.
var ErrIncomplete = errors.New("store: Client and DataCenter are required, and Field is a plain name")

// A Store is the shop as seen from one datacenter. It is safe for concurrent use.
type Store struct {
	client     *mongo.Client
	db         *mongo.Database
	dataCenter topology.DatacenterID
	field      string
}

var fieldShape = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)

// New returns the shop. It asks no server.
func New(o Options) (*Store, error) {
	o.Database, o.Field = cmp.Or(o.Database, DefaultDatabase), cmp.Or(o.Field, DefaultField)
	if o.Client == nil || o.DataCenter == "" || !fieldShape.MatchString(o.Field) {
		return nil, ErrIncomplete
	}
	return &Store{client: o.Client, db: o.Client.Database(o.Database), dataCenter: o.DataCenter, field: o.Field}, nil
}

// Client is the client that the store uses, for sessions.
func (s *Store) Client() *mongo.Client { return s.client }

// DataCenter is that of this process.
func (s *Store) DataCenter() topology.DatacenterID { return s.dataCenter }

// Namespaces are the collections with their shard keys, as a topology declares them. The datacenter comes first, so a zone holds all that is
// of a datacenter, and a transaction about one cart stays on one shard.
func Namespaces(database, field string) []topology.Namespace {
	var all []topology.Namespace
	for _, c := range collections {
		key := topology.Key{{Name: field}, {Name: c.second}}
		all = append(all, topology.Namespace{Name: database + "." + c.name, Key: key, ZoneBy: field, Unknown: topology.UnknownReject})
	}
	return all
}

// collection is one whose operations are done as the profile says.
func (s *Store) collection(name string, p consistency.Profile) *mongo.Collection {
	return s.db.Collection(name, p.CollectionOptions(s.dataCenter))
}

// primary is a collection that is read where it is written: for decisions about writes.
func (s *Store) primary(name string, p consistency.Profile) *mongo.Collection {
	return s.db.Collection(name, p.CollectionOptions(s.dataCenter).SetReadPreference(readpref.Primary()))
}

// doc is a document of names and values by turns: doc("sku", "book", "quantity", 2).
func doc(fields ...any) bson.D {
	d := make(bson.D, 0, len(fields)/2)
	for field := range slices.Chunk(fields, 2) {
		d = append(d, bson.E{Key: field[0].(string), Value: field[1]})
	}
	return d
}

// at is everything of a datacenter that has some fields. With the second field of the shard key it is one document.
func (s *Store) at(dc topology.DatacenterID, fields ...any) bson.D {
	return append(doc(s.field, dc), doc(fields...)...)
}

// cartAt is a cart by its full shard key, if it has some fields.
func (s *Store) cartAt(h cart.Handle, fields ...any) bson.D {
	return append(s.at(h.DataCenter, "cartId", h.ID.String()), doc(fields...)...)
}

// insert stores a value: its identifier, the datacenter under its configured name, and the value's fields. The identifier contains the shard key, so it is
// unique in the cluster although each shard checks its own alone.
func (s *Store) insert(ctx context.Context, in *mongo.Collection, id string, dc topology.DatacenterID, value any) error {
	raw, err := bson.Marshal(value)
	var fields bson.D
	if err == nil {
		err = bson.Unmarshal(raw, &fields)
	}
	if err == nil {
		_, err = in.InsertOne(ctx, append(doc("_id", id, s.field, dc), fields...))
	}
	return err
}

// dataCenterOf reads the field with the configured name.
func (s *Store) dataCenterOf(raw bson.Raw) topology.DatacenterID {
	return topology.DatacenterID(stringOf(raw, s.field))
}

// stringOf is a field's text; empty where it has none.
func stringOf(raw bson.Raw, field string) string {
	text, _ := raw.Lookup(field).StringValueOK()
	return text
}

// found decodes the one document that the driver found, and turns its answer for nothing into the domain's.
func found[T any](result *mongo.SingleResult, what string, decode func(bson.Raw) (T, error)) (none T, err error) {
	raw, err := result.Raw()
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return none, hint.New(cart.ErrNotFound, "there is no "+what)
	case err != nil:
		return none, err
	}
	return decode(raw)
}

// all decodes everything of a cursor.
func all[T any](ctx context.Context, cursor *mongo.Cursor, err error, decode func(bson.Raw) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }()
	found := []T{} // JSON's [], not null
	for cursor.Next(ctx) {
		one, err := decode(cursor.Current)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, cursor.Err()
}

// inOrder sorts by a field, and takes so many.
func inOrder(by string, limit int) *options.FindOptionsBuilder {
	return options.Find().SetSort(doc(by, 1)).SetLimit(int64(limit))
}
