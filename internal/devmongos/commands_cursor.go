package devmongos

import (
	"context"
	"encoding/binary"
	"strings"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// getMore goes on with a cursor where it was opened.
func (r *router) getMore(ctx context.Context, req *request) (bsoncore.Document, error) {
	id, ok := field(req.body, "getMore").AsInt64OK()
	if !ok {
		return nil, refuse(codeTypeMismatch, "getMore needs a cursor id")
	}
	if err := checkGetMore(req.body); err != nil {
		return nil, err
	}
	cursor, open := r.cursors.get(id)
	if !open || cursor.ns != req.db+"."+stringField(req.body, "collection") {
		return nil, refuse(codeCursorNotFound, "cursor id %d not found", id)
	}
	if err := cursor.checkOwner(id, sessionOf(req.lsid)); err != nil {
		return nil, err
	}
	rep, err := r.continueCursor(ctx, req, cursor)
	if err != nil {
		r.cursors.remove(id)
		if cursor.host == nil {
			r.killCore(r.base, cursor)
		}
		return nil, err
	}
	remote, place := cursorID(rep.doc)
	switch {
	case remote != 0:
		binary.LittleEndian.PutUint64(place, uint64(id))
	case codeOf(rep.doc) != codeMaxTimeMSExpired:
		r.cursors.remove(id)
		if cursor.host == nil {
			r.sessions.give(cursor.lsid)
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

func (r *router) continueCursor(ctx context.Context, req *request, cursor remoteCursor) (reply, error) {
	if cursor.host == nil {
		rep, err := r.core.ask(ctx, coreGetMore(cursor, req.body))
		if err != nil {
			return reply{}, err
		}
		return req.holdCore(rep), nil
	}
	body := build(func(dst []byte) []byte {
		dst = bsoncore.AppendInt64Element(dst, "getMore", cursor.id)
		return appendGetMoreFields(dst, req.body, "")
	})
	if cursor.txn != nil {
		body = cursor.txn.dress(body, false, false)
	}
	rep, err := cursor.host.run(ctx, command{body: body})
	if err != nil {
		return reply{}, err
	}
	return req.hold(rep), nil
}

// coreGetMore makes the core's form of a getMore; without one of a client's it asks for the next batch as it comes.
func coreGetMore(cursor remoteCursor, body bsoncore.Document) bsoncore.Document {
	return build(func(dst []byte) []byte {
		dst = bsoncore.AppendInt64Element(dst, "clusterGetMore", cursor.id)
		dst = bsoncore.AppendDocumentElement(dst, "lsid", cursor.lsid)
		if body == nil {
			db, collection, _ := strings.Cut(cursor.ns, ".")
			dst = bsoncore.AppendStringElement(dst, "collection", collection)
			return bsoncore.AppendStringElement(dst, "$db", db)
		}
		return appendGetMoreFields(dst, body, "lsid")
	})
}

func appendGetMoreFields(dst []byte, body bsoncore.Document, without string) []byte {
	for e := range elements(body) {
		field := string(e.name)
		if field != "getMore" && field != without && !isRouterField(field) && !isTransactionField(field) {
			dst = append(dst, e.raw...)
		}
	}
	return dst
}

// killCursors closes cursors where they were opened.
func (r *router) killCursors(ctx context.Context, req *request) (bsoncore.Document, error) {
	if err := checkKillCursors(req.body); err != nil {
		return nil, err
	}
	var killed, missing []bsoncore.Value
	for _, v := range arrayValues(field(req.body, "cursors")) {
		id, _ := v.AsInt64OK()
		cursor, open := r.cursors.get(id)
		if !open {
			missing = append(missing, v)
			continue
		}
		r.cursors.remove(id)
		killed = append(killed, v)
		if cursor.merged != nil {
			if cursor.txn == req.txn {
				cursor.merged.kill(ctx)
			}
		} else if cursor.host != nil {
			r.killRemote(ctx, req, cursor)
		} else {
			r.killCore(ctx, cursor)
		}
	}
	return build(func(dst []byte) []byte {
		dst = bsoncore.BuildArrayElement(dst, "cursorsKilled", killed...)
		dst = bsoncore.BuildArrayElement(dst, "cursorsNotFound", missing...)
		dst = bsoncore.BuildArrayElement(dst, "cursorsAlive")
		dst = bsoncore.BuildArrayElement(dst, "cursorsUnknown")
		return bsoncore.AppendDoubleElement(dst, "ok", 1)
	}), nil
}

// killRemote is best effort: a cursor that is not closed times out on its member.
func (r *router) killRemote(ctx context.Context, req *request, cursor remoteCursor) {
	body := build(func(dst []byte) []byte {
		dst = bsoncore.AppendStringElement(dst, "killCursors", stringField(req.body, "killCursors"))
		dst = bsoncore.BuildArrayElement(dst, "cursors", bsoncore.Value{Type: bsoncore.TypeInt64, Data: bsoncore.AppendInt64(nil, cursor.id)})
		for _, name := range []string{"lsid", "$db"} {
			if v := field(req.body, name); v.Type != 0 {
				dst = bsoncore.AppendValueElement(dst, name, v)
			}
		}
		return dst
	})
	rep, err := cursor.host.run(ctx, command{body: body})
	if err != nil {
		r.log.Debug("kill cursor", "host", cursor.host.address, "error", err)
		return
	}
	rep.buf.release()
}
