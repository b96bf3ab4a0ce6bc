"""Create, read, update, delete on a collection that is spread over all shards."""

import datetime
import re
import time
import uuid

from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.codec_options import CodecOptions
from pymongo import ReadPreference, ReturnDocument, WriteConcern
from pymongo.read_concern import ReadConcern

from check import check, db, done, ns_of, places, spread, value

c = spread("crud")

check("insert_one", 100, lambda: c.insert_one({"_id": 100, "place": "east", "n": 100}).inserted_id)
check("insert_one makes an _id", ObjectId, lambda: type(c.insert_one({"place": "west", "n": 101}).inserted_id))
check("insert_many", list(range(30)), lambda: c.insert_many([{"_id": i, "place": places[i % 3], "n": i, "tags": ["a", f"t{i % 4}"]} for i in range(30)]).inserted_ids)
check("count_documents", [32, 10], lambda: [c.count_documents({}), c.count_documents({"place": "north"})])
check("estimated_document_count", 32, lambda: c.estimated_document_count())
check("find_one by shard key", {"_id": 4, "place": "north", "n": 4, "tags": ["a", "t0"]}, lambda: c.find_one({"place": "north", "n": 4}))
check("find_one by _id alone", "west", lambda: c.find_one(5)["place"])
check("find sorted over all shards", [29, 28, 27], lambda: ns_of(c.find({"n": {"$lt": 50}}).sort("n", -1).limit(3)))
check("find with skip", [3, 4, 5], lambda: ns_of(c.find({"n": {"$lt": 50}}).sort("n").skip(3).limit(3)))
check("find with two sort keys", [["west", 101], ["west", 29]], lambda: [[d["place"], d["n"]] for d in c.find().sort([("place", -1), ("n", -1)]).limit(2)])
check("find with a projection", {"n": 7}, lambda: c.find_one({"place": "north", "n": 7}, {"_id": 0, "n": 1}))
check("find with a regular expression", 20, lambda: len(c.find({"place": re.compile("^(north|west)$"), "n": {"$lt": 50}}).to_list()))
check("find with collation", 10, lambda: len(c.find({"place": "NORTH"}, collation={"locale": "en", "strength": 2}).to_list()))
check("distinct", places, lambda: sorted(c.distinct("place")))
for mode in [ReadPreference.PRIMARY, ReadPreference.PRIMARY_PREFERRED, ReadPreference.SECONDARY_PREFERRED, ReadPreference.NEAREST]:
    check(f"read preference {mode.name}", 30, lambda: c.with_options(read_preference=mode, read_concern=ReadConcern("majority")).count_documents({"n": {"$lt": 50}}))
for level in ["local", "available", "majority"]:
    check(f"read concern {level}", 30, lambda: len(c.with_options(read_concern=ReadConcern(level)).find({"n": {"$lt": 50}}).to_list()))
check("read concern linearizable", 4, lambda: c.with_options(read_concern=ReadConcern("linearizable")).find_one({"place": "north", "n": 4})["n"])

check("update_one", [1, 1], lambda: (lambda r: [r.matched_count, r.modified_count])(c.update_one({"place": "east", "n": 0}, {"$set": {"seen": 1}})))
check("update_one by _id alone", [1, 1], lambda: (lambda r: [r.matched_count, r.modified_count])(c.update_one({"_id": 11}, {"$inc": {"seen": 1}})))
check("update_many over all shards", [30, 30], lambda: (lambda r: [r.matched_count, r.modified_count])(c.update_many({"n": {"$lt": 50}}, {"$set": {"many": True}})))
check("upsert", ["up", 0], lambda: (lambda r: [r.upserted_id, r.matched_count])(c.update_one({"place": "north", "n": 500}, {"$setOnInsert": {"_id": "up"}}, upsert=True)))
check("replace_one", 1, lambda: c.replace_one({"place": "east", "n": 6}, {"place": "east", "n": 6, "fresh": True}).modified_count)
check("find_one_and_update", 1, lambda: c.find_one_and_update({"place": "west", "n": 8}, {"$inc": {"x": 1}}, return_document=ReturnDocument.AFTER)["x"])
check("find_one_and_replace", 14, lambda: c.find_one_and_replace({"place": "west", "n": 14}, {"place": "west", "n": 14})["_id"])
check("find_one_and_delete", 20, lambda: c.find_one_and_delete({"place": "west", "n": 20})["_id"])
check("delete_one", 1, lambda: c.delete_one({"place": "east", "n": 0}).deleted_count)
check("delete_many over all shards", 10, lambda: c.delete_many({"n": {"$gte": 10, "$lt": 21}}).deleted_count)
check("what is left", [*range(1, 10), *range(21, 30), 100, 101, 500], lambda: ns_of(c.find().sort("n")))


def unacknowledged():
    c.with_options(write_concern=WriteConcern(w=0)).insert_one({"_id": "silent", "place": "west", "n": 700})
    for _ in range(200):  # nobody says when it is there
        if c.count_documents({"_id": "silent"}):
            return True
        time.sleep(0.025)
    return False


check("a write without an answer", True, unacknowledged)


def types():
    document = {
        "_id": "types", "place": "north", "n": 900, "double": 1.5, "string": "grüße", "object": {"a": []}, "array": [1, [2]], "binary": b"\x01\x02", "custom": Binary(b"\x03", 128),
        "id": ObjectId("0123456789abcdef01234567"), "yes": True, "date": datetime.datetime(2024, 2, 29, 12, 0, 0, 1000), "nothing": None, "regex": Regex("a+", "i"), "code": Code("f()"),
        "timestamp": Timestamp(5, 6), "long": Int64(9007199254740993), "decimal": Decimal128("1.10"), "min": MinKey(), "max": MaxKey(), "uuid": Binary.from_uuid(uuid.UUID(int=7)),
    }
    c.insert_one(document)
    return c.find_one({"_id": "types"}) == document


check("every type comes back as it went", True, types)
check("the order of fields is kept", ["_id", "place", "n", "z", "a", "m"], lambda: (
    c.insert_one({"_id": "order", "place": "east", "n": 901, "z": 1, "a": 1, "m": 1}), list(c.with_options(CodecOptions(document_class=dict)).find_one("order")))[1])
value("find in one place", lambda: c.find({"place": "east", "n": {"$lt": 30}}).sort("n").to_list())
check("a collection that is not sharded", 3, lambda: (db.plain.insert_many([{"_id": i} for i in range(3)]), db.plain.count_documents({}))[1])
done()
