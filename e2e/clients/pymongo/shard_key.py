"""A document moves to another shard when the value of its shard key changes."""

from pymongo import InsertOne, ReturnDocument, UpdateOne

from check import check, client, done, fill, places, spread

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
check("in a bulk with others", [3, 1], lambda: (lambda r: [r.modified_count, r.inserted_count])(c.bulk_write([
    UpdateOne({"place": "west", "n": 5}, {"$set": {"x": 1}}),
    UpdateOne({"place": "east", "n": 9}, {"$set": {"place": "west"}}),
    InsertOne({"_id": 60, "place": "east", "n": 60}),
    UpdateOne({"place": "west", "n": 9}, {"$set": {"x": 2}}),
])))


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
