package devmongos

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// concernDefaults caches the cluster-wide default read and write concern. A shard applies none of its own to what a router sends:
// a write without write concern would be acknowledged by one member.
type concernDefaults struct {
	configs *replicaSet

	mu          sync.Mutex // guards following
	read, write bsoncore.Document
	known       bool
}

// forget makes the next command ask again; setDefaultRWConcern calls it.
func (d *concernDefaults) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known = false
}

// get returns the defaults as last read. It asks the config servers only if they have never been read since the last forget: no
// command is to wait because the config servers have no primary.
func (d *concernDefaults) get(ctx context.Context) (read, write bsoncore.Document, err error) {
	d.mu.Lock()
	read, write, known := d.read, d.write, d.known
	d.mu.Unlock()
	if known {
		return read, write, nil
	}
	return d.refresh(ctx)
}

// refresh reads the defaults from the config servers.
func (d *concernDefaults) refresh(ctx context.Context) (read, write bsoncore.Document, err error) {
	answer, err := d.configs.tell(ctx, "admin", fields("getDefaultRWConcern", 1))
	if err != nil {
		return nil, nil, fmt.Errorf("read the default concerns: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.read, d.write, d.known = documentField(answer, "defaultReadConcern"), documentField(answer, "defaultWriteConcern"), true
	return d.read, d.write, nil
}

// appendWriteConcern appends the write concern for the members. What the client gave holds; w comes from the defaults if it gave
// none. w: 0 becomes w: 1, since a member that is asked for no acknowledgement would not say that the router is out of date.
func appendWriteConcern(dst []byte, given, defaults bsoncore.Document) []byte {
	start, dst := bsoncore.AppendDocumentElementStart(dst, "writeConcern")
	hasW := false
	for e := range elements(given) {
		if string(e.name) == "w" {
			hasW = true
			if n, ok := e.value.AsInt64OK(); ok && n == 0 {
				dst = bsoncore.AppendInt32Element(dst, "w", 1)
				continue
			}
		}
		dst = append(dst, e.raw...)
	}
	if !hasW {
		for e := range elements(defaults) {
			if string(e.name) == "w" || len(given) == 0 {
				dst = append(dst, e.raw...)
			}
		}
	}
	return endDocument(dst, start)
}

// appendReadConcern appends the read concern for the members. Without a level a secondary would not check the shard version and
// return orphans, so there always is one; only change streams, which are about the majority, may not be given another.
func appendReadConcern(dst []byte, given, defaults bsoncore.Document) []byte {
	start, dst := bsoncore.AppendDocumentElementStart(dst, "readConcern")
	dst = appendWithout(dst, given, nil)
	if field(given, "level").Type == 0 {
		dst = bsoncore.AppendStringElement(dst, "level", cmp.Or(stringField(defaults, "level"), "local"))
	}
	return endDocument(dst, start)
}

// ofCommit makes the write concern of a commit, as a field.
func (d *concernDefaults) ofCommit(ctx context.Context, given bsoncore.Document) (bson.D, error) {
	_, write, err := d.get(ctx)
	if err != nil {
		return nil, err
	}
	return fieldsOf(build(func(dst []byte) []byte { return appendWriteConcern(dst, given, write) }), nil), nil
}

// snapshotConcern is the read concern of a snapshot at a time.
func snapshotConcern(at uint64) bsoncore.Document {
	return document("level", "snapshot", "atClusterTime", timestamp(at))
}
