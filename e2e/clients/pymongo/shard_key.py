"""A document moves to another shard when the value of its shard key changes."""

from pymongo import InsertOne, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError

from check import check, client, done, fill, places, sharded, spread

c = spread("movers")
fill(c, 30)


def where(identity):
    return [[d["place"], d["n"]] for d in c.find({"_id": identity})]


check("update_one moves a document", [1, [["west", 0]]], lambda: [c.update_one({"place": "east", "n": 0}, {"$set": {"place": "west"}}).modified_count, where(0)])
check("replace_one moves a document", [1, [["east", 1]]], lambda: [c.replace_one({"place": "north", "n": 1}, {"place": "east", "n": 1}).modified_count, where(1)])
check("find_one_and_update gives the old one", ["west", [["north", 2]]], lambda: [c.find_one_and_update({"place": "west", "n": 2}, {"$set": {"place": "north"}})["place"], where(2)])
check("find_one_and_update gives the new one", ["north", [["north", 3]]], lambda: [
    c.find_one_and_update({"place": "east", "n": 3}, {"$set": {"place": "north"}}, return_document=ReturnDocument.AFTER)["place"], where(3)])
check("find_one_and_replace", ["north", [["east", 4]]], lambda: [c.find_one_and_replace({"place": "north", "n": 4}, {"place": "east", "n": 4})["place"], where(4)])
check("an upsert beside it", [None, [["west", 6]]], lambda: [c.update_one({"place": "east", "n": 6}, {"$set": {"place": "west"}}, upsert=True).upserted_id, where(6)])


def in_a_bulk():
    """A query router of 6.0 refuses an update that moves its document unless it is sent alone: what comes before it is done, and the rest can follow one by one."""
    requests = [
        UpdateOne({"place": "west", "n": 5}, {"$set": {"x": 1}}),
        UpdateOne({"place": "east", "n": 9}, {"$set": {"place": "west"}}),
        InsertOne({"_id": 60, "place": "east", "n": 60}),
        UpdateOne({"place": "west", "n": 9}, {"$set": {"x": 2}}),
    ]
    if sharded:
        try:
            return ["not refused", c.bulk_write(requests).bulk_api_result]
        except BulkWriteError as error:
            told = [(e["index"], e["code"]) for e in error.details["writeErrors"]]
            if told != [(1, 72)] or error.details["nModified"] != 1:
                return ["refused otherwise", error.details]
        results = [c.bulk_write([request]) for request in requests[1:]]
        return [1 + sum(r.modified_count for r in results), sum(r.inserted_count for r in results)]
    result = c.bulk_write(requests)
    return [result.modified_count, result.inserted_count]


check("in a bulk with others", [3, 1], in_a_bulk)


def in_transaction(commit):
    with client.start_session() as session:
        session.start_transaction()
        c.update_one({"place": "north", "n": 7}, {"$set": {"place": "east"}}, session=session)
        inside = [d["place"] for d in c.find({"_id": 7}, session=session)]
        session.commit_transaction() if commit else session.abort_transaction()
    return [inside, where(7)]


check("in a transaction that is aborted", [["east"], [["north", 7]]], lambda: in_transaction(False))
check("in a transaction that commits", [["east"], [["east", 7]]], lambda: in_transaction(True))


def around():
    """Thirty moves from place to place."""
    for step in range(30):
        c.update_one({"place": places[(2 + step) % 3], "n": 8}, {"$set": {"place": places[(3 + step) % 3]}, "$inc": {"steps": 1}})
    return [where(8), c.find_one({"n": 8})["steps"]]


check("thirty times around", [[["west", 8]], 30], around)
check("nothing was lost or doubled", [31, list(range(30)) + [60]], lambda: [c.count_documents({}), sorted(c.distinct("_id"))])
done()
