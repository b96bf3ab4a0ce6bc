package store

import (
	"errors"
	"regexp"

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
	if o.Database == "" {
		o.Database = DefaultDatabase
	}
	if o.Field == "" {
		o.Field = DefaultField
	}
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
	key := func(second string) topology.Key { return topology.Key{{Name: field}, {Name: second}} }
	var all []topology.Namespace
	for _, c := range []struct{ name, second string }{
		{carts, "cartId"}, {orders, "orderId"}, {stock, "sku"}, {catalogue, "sku"}, {notices, "seq"}, {cursors, "name"},
	} {
		all = append(all, topology.Namespace{Name: database + "." + c.name, Key: key(c.second), ZoneBy: field, Unknown: topology.UnknownReject})
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

// at is the full shard key of a document.
func (s *Store) at(dc topology.DatacenterID, second string, value any) bson.D {
	return bson.D{{Key: s.field, Value: dc}, {Key: second, Value: value}}
}

// of is everything of a datacenter.
func (s *Store) of(dc topology.DatacenterID) bson.D { return bson.D{{Key: s.field, Value: dc}} }

// cartAt is the full shard key of a cart.
func (s *Store) cartAt(h cart.Handle) bson.D { return s.at(h.DataCenter, "cartId", h.ID.String()) }

// document is what is stored of a value: the identifier, the datacenter under its configured name, and the value's fields. The identifier contains the
// shard key, so it is unique in the cluster although each shard checks its own alone.
func (s *Store) document(id string, dc topology.DatacenterID, value any) (bson.D, error) {
	raw, err := bson.Marshal(value)
	if err != nil {
		return nil, err
	}
	var fields bson.D
	if err := bson.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	return append(bson.D{{Key: "_id", Value: id}, {Key: s.field, Value: dc}}, fields...), nil
}

// dataCenterOf reads the field with the configured name.
func (s *Store) dataCenterOf(raw bson.Raw) topology.DatacenterID {
	dc, _ := raw.Lookup(s.field).StringValueOK()
	return topology.DatacenterID(dc)
}

func idOf(raw bson.Raw) string {
	id, _ := raw.Lookup("_id").StringValueOK()
	return id
}

// notFound turns the driver's answer for nothing into the domain's.
func notFound(err error, what string) error {
	if errors.Is(err, mongo.ErrNoDocuments) {
		return hint.New(errors.Join(cart.ErrNotFound), "there is no "+what)
	}
	return err
}

// upsert is for updates that may be the first.
func upsert() *options.UpdateOneOptionsBuilder { return options.UpdateOne().SetUpsert(true) }
