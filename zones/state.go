package zones

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
)

// A State is what the config catalogue of a cluster said at one moment. It is a value: nothing changes it after it was read.
type State struct {
	// ClusterID is the cluster's identity in config.version, as a hexadecimal ObjectID.
	ClusterID string `json:"clusterId"`
	// Version is the oldest version among the servers that answered, for example "6.0.5".
	Version string `json:"version"`
	// RouterVersion is that of the query router that was asked.
	RouterVersion string `json:"routerVersion,omitempty"`
	// Taken is when it was read.
	Taken time.Time `json:"taken"`
	// Databases are the names of all databases, sorted. Unlisted are those whose primary shard did not say which collections they have, with the reason.
	Databases []string          `json:"databases,omitempty"`
	Unlisted  map[string]string `json:"unlisted,omitempty"`
	// Shards are sorted by ID, Collections by name.
	Shards      []Shard      `json:"shards"`
	Collections []Collection `json:"collections"`
	Balancer    Balancer     `json:"balancer"`
	// ConfigServers are the replica set that holds the catalogue; nil where the query router does not say which they are.
	ConfigServers *Shard `json:"configServers,omitempty"`
}

// A Reader reads the state of a cluster. Namespaces are names or patterns as in a topology ("shop.*"); none means all that is sharded.
type Reader interface {
	Read(ctx context.Context, namespaces []string) (*State, error)
}

// A Shard is one replica set that holds a part of the sharded collections, or the config servers.
type Shard struct {
	ID topology.ShardID `json:"id"`
	// Hosts are "host:port" of its members as the catalogue names them.
	Hosts    []string `json:"hosts"`
	Draining bool     `json:"draining,omitempty"`
	// Zones are sorted.
	Zones []topology.ZoneID `json:"zones,omitempty"`
	// Version is that of the member that answered, and FCV its featureCompatibilityVersion, "6.0";
	// empty where they could not be asked for.
	Version string `json:"version,omitempty"`
	FCV     string `json:"fcv,omitempty"`
	// Members and Modes are nil when the shard's own servers could not be asked; Unseen says why then.
	Members []Member `json:"members,omitempty"`
	// Modes are the custom write-concern modes of its replica set, sorted.
	Modes  []string `json:"modes,omitempty"`
	Unseen string   `json:"unseen,omitempty"`
}

// A Member is one server of a shard.
type Member struct {
	Host string `json:"host"`
	// DC is the value of its tag dc, empty where it has none.
	DC       topology.DatacenterID `json:"dc,omitempty"`
	Priority float64               `json:"priority"`
	Votes    int                   `json:"votes"`
	Arbiter  bool                  `json:"arbiter,omitempty"`
	Hidden   bool                  `json:"hidden,omitempty"`
	// Delay is how many seconds it stays behind by design (secondaryDelaySecs).
	Delay   int64 `json:"delay,omitempty"`
	Primary bool  `json:"primary,omitempty"`
}

// A Collection is what the catalogue knows of a namespace that is sharded, has ranges, or is declared.
type Collection struct {
	// Name is database and collection, "shop.carts".
	Name string `json:"name"`
	// Exists is false for a namespace that has ranges or is declared, but is no collection yet.
	Exists bool `json:"exists"`
	// View and TimeSeries are namespaces of another type, which cannot be sharded by a zone key here.
	View       bool `json:"view,omitempty"`
	TimeSeries bool `json:"timeSeries,omitempty"`
	// Encrypted collections (Queryable Encryption) cannot be moved by moveCollection.
	Encrypted bool `json:"encrypted,omitempty"`
	// Capped collections cannot be sharded.
	Capped bool `json:"capped,omitempty"`
	// Collation is the locale by which it compares strings where nobody says otherwise; empty for the simple collation.
	Collation string `json:"collation,omitempty"`
	// Primary is the primary shard of its database, empty where the database does not exist.
	Primary topology.ShardID `json:"primary,omitempty"`
	// Sharded collections have a Key and Chunks.
	Sharded bool         `json:"sharded"`
	Key     topology.Key `json:"key,omitempty"`
	Unique  bool         `json:"unique,omitempty"`
	// NoBalance is true when the balancer is told to leave the collection alone.
	NoBalance bool `json:"noBalance,omitempty"`
	// Ranges are sorted by their minimum. Bounds are as the catalogue has them, so they may be prefixes of the key.
	Ranges []Range `json:"ranges,omitempty"`
	// Chunks are sorted by their minimum and cover the key's whole range once.
	Chunks []Chunk `json:"-"`
	// Indexes are the collection's indexes; nil when they could not be read.
	Indexes []Index `json:"indexes,omitempty"`
	// Validator, ValidationLevel and ValidationAction are the collection's options; nil and empty where it has none.
	Validator        bson.Raw `json:"validator,omitempty"`
	ValidationLevel  string   `json:"validationLevel,omitempty"`
	ValidationAction string   `json:"validationAction,omitempty"`
	// Unread says why the shards' servers did not tell everything: its options, validator, indexes and sizes may be missing then. Empty where they did.
	Unread string `json:"unread,omitempty"`
	// Sizes are the documents of each shard, from the servers' statistics, orphans included. It is nil when they could not be asked.
	Sizes map[topology.ShardID]Size `json:"sizes,omitempty"`
}

// Kept is what some shards hold that zones do not take away.
type Kept struct {
	// Databases are those of which one of the shards is the primary shard, by name.
	Databases []Database
	// Collections have chunks on the shards, by name: Chunks are those alone. Where Sharded is false the collection is one that lies on a shard of its own
	// choice, with one chunk (MongoDB 8.0: moveCollection).
	Collections []Collection
}

// A Database is one with its primary shard.
type Database struct {
	Name    string
	Primary topology.ShardID
	// Collections are those that lie on the primary shard because they are not sharded, by name, with their sizes. Unread says why they were not told.
	Collections []Collection
	Unread      string
}

// A Size counts documents.
type Size struct {
	Documents int64 `json:"documents"`
	Bytes     int64 `json:"bytes"`
}

// An Index is one index of a collection.
type Index struct {
	Name   string `json:"name"`
	Key    bson.D `json:"key"`
	Unique bool   `json:"unique,omitempty"`
	// Sparse and Partial indexes do not have all documents, a Hidden one is not used.
	Sparse  bool `json:"sparse,omitempty"`
	Partial bool `json:"partial,omitempty"`
	Hidden  bool `json:"hidden,omitempty"`
	// Collation is the locale by which it compares strings, empty for the simple collation, which compares bytes.
	Collation string `json:"collation,omitempty"`
}

// UnmarshalBSON reads an entry of listIndexes.
func (i *Index) UnmarshalBSON(data []byte) error {
	var entry struct {
		Name      string
		Key       bson.D
		Unique    bool
		Sparse    bool
		Hidden    bool
		Filter    bson.Raw `bson:"partialFilterExpression"`
		Collation struct{ Locale string }
	}
	err := bson.Unmarshal(data, &entry)
	*i = Index{Name: entry.Name, Key: entry.Key, Unique: entry.Unique, Sparse: entry.Sparse, Hidden: entry.Hidden, Partial: entry.Filter != nil, Collation: entry.Collation.Locale}
	return err
}

// LeadsWith reports whether the index begins with the fields of a shard key, in its order.
func (i Index) LeadsWith(key topology.Key) bool {
	if len(i.Key) < len(key) {
		return false
	}
	for n, f := range key {
		kind := "1"
		if f.Hashed {
			kind = "hashed"
		}
		if i.Key[n].Key != f.Name || fmt.Sprint(i.Key[n].Value) != kind {
			return false
		}
	}
	return true
}

// Serves reports whether the index can be that of a shard key: it begins with the key and has all documents, in the order of their bytes, and is not
// hidden (manual: core/sharding-shard-key-indexes, "Shard Key Indexes"; hidden and sparse ones as MongoDB 6.0 was seen to refuse or pass over them).
func (i Index) Serves(key topology.Key) bool {
	return i.LeadsWith(key) && !i.Sparse && !i.Partial && !i.Hidden && i.Collation == ""
}

// A Range assigns the shard keys from Min (inclusive) to Max (exclusive) to a zone.
type Range struct {
	Min  bson.Raw        `json:"min"`
	Max  bson.Raw        `json:"max"`
	Zone topology.ZoneID `json:"zone"`
}

// A Chunk is a run of shard keys that one shard owns.
type Chunk struct {
	Min, Max bson.Raw
	Shard    topology.ShardID
	// Jumbo chunks are not moved by the balancer.
	Jumbo bool
}

// A Balancer is the state of the cluster's balancer.
type Balancer struct {
	// Running is false when an operator stopped it.
	Running bool `json:"running"`
	// Window is its active window, "23:00-06:00"; empty means always.
	Window string `json:"window,omitempty"`
	// WindowStart and WindowStop are the two ends of the window in the config servers' time, "HH:MM"; empty without a window.
	WindowStart string `json:"windowStart,omitempty"`
	WindowStop  string `json:"windowStop,omitempty"`
	// ChunkSize is the size of a range that the balancer moves at once, in bytes.
	ChunkSize int64 `json:"chunkSize"`
}

// ShardIDs lists the shards.
func (s *State) ShardIDs() []topology.ShardID {
	ids := make([]topology.ShardID, len(s.Shards))
	for i, shard := range s.Shards {
		ids[i] = shard.ID
	}
	return ids
}

// Shard returns the shard with that ID.
func (s *State) Shard(id topology.ShardID) (Shard, bool) {
	for _, shard := range s.Shards {
		if shard.ID == id {
			return shard, true
		}
	}
	return Shard{}, false
}

// Collection returns the collection of that name.
func (s *State) Collection(name string) (Collection, bool) {
	i, found := slices.BinarySearchFunc(s.Collections, name, func(c Collection, name string) int { return cmp.Compare(c.Name, name) })
	if !found {
		return Collection{}, false
	}
	return s.Collections[i], true
}

// ShardsByZone maps each zone to its shards.
func (s *State) ShardsByZone() ShardsByZone {
	shards := ShardsByZone{}
	for _, shard := range s.Shards {
		for _, zone := range shard.Zones {
			shards[zone] = append(shards[zone], shard.ID)
		}
	}
	return shards
}
