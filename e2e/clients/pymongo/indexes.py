"""Indexes, collections and databases."""

import pymongo
from pymongo.errors import CollectionInvalid

from check import check, client, db, done, failing, fill, spread, value

c = spread("indexed")
fill(c, 30)

check("the indexes at first", ["_id_", "place_1_n_1"], lambda: sorted(c.index_information()))
check("create_index", "tens_-1", lambda: c.create_index([("tens", pymongo.DESCENDING)]))
check("create_indexes", ["words_text", "sparse_1"], lambda: c.create_indexes([pymongo.IndexModel([("words", "text")]), pymongo.IndexModel("sparse", sparse=True)]))
check("a text search", 1, lambda: (c.insert_one({"_id": "words", "place": "west", "n": 50, "words": "grand total"}), c.count_documents({"$text": {"$search": "total"}}))[1])
check("a geographic index", [51], lambda: (
    c.create_index([("at", pymongo.GEOSPHERE)]), c.insert_one({"place": "east", "n": 51, "at": {"type": "Point", "coordinates": [151.2, -33.9]}}),
    [d["n"] for d in c.find({"at": {"$geoWithin": {"$centerSphere": [[151, -34], 0.1]}}})])[2])
check("unique, and starting with the shard key", "place_1_n_1_tens_1", lambda: c.create_index([("place", 1), ("n", 1), ("tens", 1)], unique=True))
check("it refuses a second one", {"code": 11000, "labels": []}, lambda: failing(lambda: c.insert_one({"place": "east", "n": 0, "tens": 0})))
check("the same name with another key", {"code": 86, "labels": []}, lambda: failing(lambda: c.create_index("other", name="tens_-1")))
check("drop_index", False, lambda: (c.drop_index("tens_-1"), "tens_-1" in c.index_information())[1])
check("drop_index of none", {"code": 27, "labels": []}, lambda: failing(lambda: c.drop_index("none")))
value("the indexes now", lambda: sorted(([i["name"], i["key"]] for i in c.list_indexes()), key=lambda i: i[0]))
check("drop_indexes", [True, False], lambda: (c.drop_indexes(), ["_id_" in c.index_information(), "sparse_1" in c.index_information()])[1])
check("create_collection with a validator", {"code": 121, "labels": []}, lambda: (
    db.create_collection("strict", validator={"$jsonSchema": {"required": ["name"]}}), failing(lambda: db.strict.insert_one({"x": 1})))[1])


def again():
    try:
        db.create_collection("strict")
    except CollectionInvalid:
        return "refused"
    return "made"


check("create_collection again", "refused", again)
check("a capped collection", [True, 5], lambda: (
    db.create_collection("capped", capped=True, size=4096, max=5), db.capped.insert_many([{"_id": i} for i in range(9)]), [db.capped.options()["capped"], db.capped.count_documents({})])[2])
check("list_collection_names", ["capped", "indexed", "strict"], lambda: sorted(db.list_collection_names()))
check("list_collections with a filter", ["strict"], lambda: [i["name"] for i in db.list_collections(filter={"name": "strict"})])
check("drop", ["capped", "indexed"], lambda: (db.strict.drop(), sorted(db.list_collection_names()))[1])
check("drop_database", False, lambda: (client.drop_database(db.name), db.name in client.list_database_names())[1])
done()
