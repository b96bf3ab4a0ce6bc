"""bulk_write, ordered and not, with and without errors in the middle; large batches and large messages."""

from pymongo import DeleteMany, DeleteOne, InsertOne, ReplaceOne, UpdateMany, UpdateOne
from pymongo.errors import BulkWriteError

from check import check, done, ns_of, places, spread

c = spread("bulk")


def counts(r):
    return [r["nInserted"], r["nMatched"], r["nModified"], r["nRemoved"], r["nUpserted"]]


def broken(operations, ordered):
    """Return the counts and errors of the bulk error that the operations have to give."""
    try:
        return {"no error, but": counts(c.bulk_write(operations, ordered=ordered).bulk_api_result)}
    except BulkWriteError as error:
        return [counts(error.details), [[e["index"], e["code"]] for e in error.details["writeErrors"]]]


mixed = [InsertOne({"_id": i, "place": places[i % 3], "n": i}) for i in range(30)] + [
    UpdateOne({"place": "east", "n": 0}, {"$set": {"x": 1}}),
    UpdateMany({"n": {"$lt": 10}}, {"$set": {"y": 1}}),
    ReplaceOne({"place": "north", "n": 1}, {"place": "north", "n": 1, "z": 1}),
    UpdateOne({"place": "west", "n": 300}, {"$set": {"u": 1}}, upsert=True),
    DeleteOne({"place": "west", "n": 2}),
    DeleteMany({"n": {"$gte": 20, "$lt": 30}}),
]
check("ordered, all kinds", [30, 12, 12, 11, 1], lambda: counts(c.bulk_write(mixed).bulk_api_result))
check("what is left", 20, lambda: c.count_documents({}))
check("the upsert has its index", [33], lambda: (c.delete_many({}), list(c.bulk_write(mixed).upserted_ids))[1])
check("unordered, all inserts", [30, 0, 0, 0, 0], lambda: (c.delete_many({}), counts(c.bulk_write(mixed[:30], ordered=False).bulk_api_result))[1])

twice = [InsertOne({"_id": i, "place": places[i % 3], "n": i}) for i in [40, 41, 3, 42, 4, 43]]
check("ordered stops at the first error", [[2, 0, 0, 0, 0], [[2, 11000]]], lambda: broken(twice, True))
check("nothing after it is written", [40, 41], lambda: ns_of(c.find({"n": {"$gte": 40}}).sort("n")))
check("unordered goes on", [[4, 0, 0, 0, 0], [[2, 11000], [4, 11000]]], lambda: (c.delete_many({"n": {"$gte": 40}}), broken(twice, False))[1])
check("all others are written", [40, 41, 42, 43], lambda: ns_of(c.find({"n": {"$gte": 40}}).sort("n")))
check("an impossible update in the middle", [[1, 1, 1, 0, 0], [[2, 2]]], lambda: broken([
    InsertOne({"_id": 50, "place": "west", "n": 50, "s": "text"}),
    UpdateOne({"place": "west", "n": 50}, {"$set": {"t": 1}}),
    UpdateOne({"place": "west", "n": 50}, {"$push": {"s": 1}}),
    InsertOne({"_id": 51, "place": "east", "n": 51}),
], True))

def error_document():
    try:
        c.insert_many([{"_id": 3, "place": "east", "n": 3}])
    except BulkWriteError as error:
        return error.details["writeErrors"][0]["op"]
    return None


check("the error says which document", {"_id": 3, "place": "east", "n": 3}, lambda: error_document())
check("20,000 inserts, unordered", 20000, lambda: c.bulk_write([InsertOne({"_id": i, "place": places[i % 3], "n": i}) for i in range(1000, 21000)], ordered=False).inserted_count)
check("2,000 updates, ordered", [2000, 2000], lambda: [
    c.bulk_write([UpdateOne({"place": places[i % 3], "n": i}, {"$inc": {"seen": 1}}) for i in range(1000, 3000)]).modified_count, c.count_documents({"seen": 1})])
check("2,000 deletes, unordered", 2000, lambda: c.bulk_write([DeleteOne({"place": places[i % 3], "n": i}) for i in range(1000, 3000)], ordered=False).deleted_count)
check("more than one message: 60 MB", [30, 2000000], lambda: [
    len(c.insert_many([{"_id": f"big {i}", "place": places[i % 3], "n": 50000 + i, "data": b"x" * 2000000} for i in range(30)]).inserted_ids),
    len(c.find_one({"place": "west", "n": 50029})["data"])])
check("reading them back", 60000000, lambda: sum(len(d["data"]) for d in c.find({"n": {"$gte": 50000}})))
check("a document of nearly 16 MB", 16700000, lambda: (
    c.insert_one({"_id": "huge", "place": "east", "n": 60000, "data": b"x" * 16700000}), len(c.find_one({"place": "east", "n": 60000})["data"]))[1])
done()
