"""Cursors: 100,000 documents over all shards, in batches, sorted, raw, closed early."""

from bson import Int64, decode_all
from pymongo.errors import CursorNotFound, InvalidOperation

from check import check, db, done, fill, ns_of, spread

TOTAL = 100_000
c = spread("many")
fill(c, TOTAL)

check("100,000 documents are in", TOTAL, lambda: c.count_documents({}))
check("a cursor gives each once", list(range(TOTAL)), lambda: sorted(ns_of(c.find({}, {"n": 1}))))
check("small batches", list(range(3000)), lambda: sorted(ns_of(c.find({"n": {"$lt": 3000}}).batch_size(100))))
check("a sorted cursor keeps the order", list(range(TOTAL)), lambda: ns_of(c.find({}, {"n": 1}).sort("n").batch_size(7000)))
check("backwards", list(range(TOTAL - 1, -1, -1)), lambda: ns_of(c.find({}, {"n": 1}).sort("n", -1).batch_size(20000)))
check("skip far in", list(range(99990, TOTAL)), lambda: ns_of(c.find().sort("n").skip(99990)))
check("limit over many batches", 12345, lambda: len(c.find().limit(12345).batch_size(1000).to_list()))
check("an aggregation of many batches", TOTAL, lambda: sum(1 for _ in c.aggregate([{"$project": {"n": 1}}], batchSize=6000)))
check("a sorted aggregation", list(range(TOTAL)), lambda: ns_of(c.aggregate([{"$sort": {"n": 1}}, {"$project": {"n": 1}}], allowDiskUse=True)))
check("raw batches", TOTAL, lambda: sum(len(decode_all(batch)) for batch in c.find_raw_batches({}, {"n": 1})))
check("two cursors side by side", True, lambda: all(a["n"] + b["n"] == TOTAL - 1 for a, b in zip(
    c.find({}, {"n": 1}).sort("n").batch_size(900).limit(3000), c.find({}, {"n": 1}).sort("n", -1).batch_size(700).limit(3000))))


def closed():
    cursor = c.find().batch_size(10)
    next(cursor)
    cursor.close()
    return c.count_documents({})


check("closing early", TOTAL, closed)


def unknown():
    try:
        return db.command("getMore", Int64(12345), collection="many")
    except CursorNotFound as error:
        return error.code


check("getMore of a cursor that never was", 43, unknown)
check("a cursor without a session", TOTAL, lambda: sum(1 for _ in c.find({}, {"n": 1}, no_cursor_timeout=True).batch_size(10000)))


def explicit():
    with c.database.client.start_session() as session:
        return sum(1 for _ in c.find({}, {"n": 1}, session=session).batch_size(5000))


check("a cursor in a session", TOTAL, explicit)


def rewound():
    cursor = c.find().sort("n").limit(5)
    first = ns_of(cursor)
    return first == ns_of(cursor.rewind())


check("rewind", True, rewound)


def begun():
    cursor = c.find()
    next(cursor)
    try:
        cursor.limit(3)
    except InvalidOperation:
        return "refused"
    finally:
        cursor.close()
    return "done"


check("changing a cursor that has begun", "refused", begun)
check("delete_many of all", TOTAL, lambda: c.delete_many({}).deleted_count)
done()
