package devmongos

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

func (t *cursors) commands() map[string]handler {
	return map[string]handler{
		"getMore":     checked(checkGetMore, t.getMore),
		"killCursors": checked(checkKillCursors, t.killCursors),
	}
}

// getMore goes on with a cursor where it was opened.
func (t *cursors) getMore(ctx context.Context, req *request) (bsoncore.Document, error) {
	id := intField(req.body, "getMore")
	cursor, open := t.get(id)
	if !open || cursor.ns != req.db+"."+stringField(req.body, "collection") {
		return nil, refuse(codeCursorNotFound, "cursor id %d not found", id)
	}
	if err := cursor.checkOwner(id, sessionOf(req.lsid)); err != nil {
		return nil, err
	}
	rep, err := t.continueCursor(ctx, req, cursor)
	if err != nil {
		t.remove(id)
		if cursor.host == nil {
			t.killCore(t.catalog.base, cursor)
		}
		return nil, err
	}
	remote, place := cursorID(rep.doc)
	switch {
	case remote != 0:
		binary.LittleEndian.PutUint64(place, uint64(id))
	case codeOf(rep.doc) != codeMaxTimeMSExpired:
		t.remove(id)
		if cursor.host == nil {
			t.catalog.core.sessions.give(cursor.lsid)
		}
	}
	return rep.doc, nil
}

// checkOwner refuses a getMore from another session than the cursor's, as a mongos does. It is for cursors of the core, which knows
// the router's own session alone; members compare sessions themselves.
func (c remoteCursor) checkOwner(id int64, asks sessionID) error {
	switch {
	case c.host != nil || c.txn != nil || c.owner == asks:
		return nil
	case c.owner == "":
		return refuse(50799, "Cannot run getMore on cursor %d, which was not created in a session, in a session", id)
	case asks == "":
		return refuse(50800, "Cannot run getMore on cursor %d, which was created in a session, without an lsid", id)
	default:
		return refuse(50801, "Cannot run getMore on cursor %d, which was created in another session", id)
	}
}

func (t *cursors) continueCursor(ctx context.Context, req *request, cursor remoteCursor) (reply, error) {
	if cursor.host == nil {
		rep, err := t.catalog.core.ask(ctx, coreGetMore(cursor, req.body))
		return req.holdCore(rep), err
	}
	body := build(func(dst []byte) []byte {
		dst = bsoncore.AppendInt64Element(dst, "getMore", cursor.id)
		return appendWithout(dst, req.body, forRouter, "getMore")
	})
	if cursor.txn != nil {
		body = cursor.txn.dress(body, false, false)
	}
	rep, err := cursor.host.run(ctx, command{body: body})
	return req.hold(rep), err
}

// killCursors closes cursors where they were opened.
func (t *cursors) killCursors(ctx context.Context, req *request) (bsoncore.Document, error) {
	var killed, missing []bsoncore.Value
	for _, v := range arrayValues(field(req.body, "cursors")) {
		id := number(v)
		cursor, open := t.get(id)
		if !open {
			missing = append(missing, v)
			continue
		}
		t.remove(id)
		killed = append(killed, v)
		switch {
		case cursor.merged != nil:
			if cursor.txn == req.txn {
				cursor.merged.kill(ctx)
			}
		case cursor.host != nil:
			t.killRemote(ctx, req, cursor)
		default:
			t.killCore(ctx, cursor)
		}
	}
	return encode("cursorsKilled", killed, "cursorsNotFound", missing, "cursorsAlive", bson.A{}, "cursorsUnknown", bson.A{})
}

// killRemote is best effort: a cursor that is not closed times out on its member.
func (t *cursors) killRemote(ctx context.Context, req *request, cursor remoteCursor) {
	body := document("killCursors", req.collection, "cursors", bson.A{cursor.id}, given(req.body, "lsid", "$db"))
	rep, err := cursor.host.run(ctx, command{body: body})
	if err != nil {
		t.catalog.log.Debug("kill cursor", "host", cursor.host.address, "error", err)
		return
	}
	rep.buf.release()
}

// reap closes cursors whose clients have left without a word, until ctx ends.
func (t *cursors) reap(ctx context.Context) {
	every(ctx, reapInterval, func(now time.Time) {
		for _, idle := range t.takeIdle(now.Add(-cursorTimeout)) {
			t.killCore(ctx, idle)
		}
	})
}

// killTimeout is how long the closing of a cursor waits for members that do not answer.
const killTimeout = 2 * time.Second

// killCore closes a cursor of the core: its session is killed on every member that may have a part of it, whereupon the core
// finds it dead. Best effort: members that do not answer drop their part by timeout.
func (t *cursors) killCore(ctx context.Context, cursor remoteCursor) {
	ctx, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	kill := document("killSessions", bson.A{bson.Raw(cursor.lsid)}, "$db", "admin")
	var members sync.WaitGroup
	for _, m := range t.catalog.members() {
		members.Go(func() {
			if rep, err := m.run(ctx, command{body: kill}); err == nil {
				rep.buf.release()
			}
		})
	}
	members.Wait()
	if rep, err := t.catalog.core.ask(ctx, coreGetMore(cursor, nil)); err == nil {
		if id, _ := cursorID(rep.doc); id != 0 {
			t.catalog.log.Debug("cursor of the core not closed", "ns", cursor.ns)
		}
		rep.buf.release()
	}
}
