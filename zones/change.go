package zones

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
)

// A Change is one step of a plan. Only this package defines changes, so a switch over them can be complete. String is the line that the user
// sees; it begins with +, - or ~.
type Change interface {
	fmt.Stringer
	change()
}

// AddShardToZone puts a shard into a zone. It is idempotent.
type AddShardToZone struct {
	Shard topology.ShardID `json:"shard"`
	Zone  topology.ZoneID  `json:"zone"`
}

// RemoveShardFromZone takes a shard out of a zone. The server refuses (ZoneStillInUse) while it is the zone's last and the zone has ranges.
type RemoveShardFromZone struct {
	Shard topology.ShardID `json:"shard"`
	Zone  topology.ZoneID  `json:"zone"`
}

// HoldBalancing tells the balancer to leave a collection alone (noBalance), while its ranges are being replaced.
type HoldBalancing struct {
	Collection string `json:"collection"`
}

// ReleaseBalancing ends HoldBalancing. A plan has it only for collections that were balanced before.
type ReleaseBalancing struct {
	Collection string `json:"collection"`
}

// RemoveRange takes a range of shard keys from its zone. Bounds that match none are silently ignored by the server, so it is read back.
type RemoveRange struct {
	Collection string `json:"collection"`
	Range      Range  `json:"range"`
}

// AddRange assigns a range of shard keys to a zone.
type AddRange struct {
	Collection string `json:"collection"`
	Range      Range  `json:"range"`
}

// ShardCollection shards a collection that is empty or does not exist, by a key. With its ranges in place before, every chunk is made in its zone.
type ShardCollection struct {
	Collection string       `json:"collection"`
	Key        topology.Key `json:"key"`
}

// SetValidator replaces a collection's validator. Validator nil removes it. A collection that does not exist is made with it.
type SetValidator struct {
	Collection string   `json:"collection"`
	Validator  bson.Raw `json:"validator,omitempty"`
	Level      string   `json:"level,omitempty"`
	Action     string   `json:"action,omitempty"`
}

func (AddShardToZone) change()      {}
func (RemoveShardFromZone) change() {}
func (HoldBalancing) change()       {}
func (ReleaseBalancing) change()    {}
func (RemoveRange) change()         {}
func (AddRange) change()            {}
func (ShardCollection) change()     {}
func (SetValidator) change()        {}
