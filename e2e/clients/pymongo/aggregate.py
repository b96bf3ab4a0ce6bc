"""Aggregation over all shards, distinct and counts."""

from check import check, db, done, failing, fill, places, spread, value

c = spread("orders")
people = db.people  # not sharded
fill(c, 300)
people.insert_many([{"_id": "east", "name": "Eve"}, {"_id": "north", "name": "Nora"}, {"_id": "west", "name": "Wim"}])


def run(*stages, on=c, **options):
    return on.aggregate(list(stages), **options).to_list()


check("$group", [{"_id": "east", "n": 100, "sum": 14850}, {"_id": "north", "n": 100, "sum": 14950}, {"_id": "west", "n": 100, "sum": 15050}],
      lambda: run({"$group": {"_id": "$place", "n": {"$sum": 1}, "sum": {"$sum": "$n"}}}, {"$sort": {"_id": 1}}))
check("$match in one place", [{"_id": None, "avg": 150.5}], lambda: run({"$match": {"place": "west"}}, {"$group": {"_id": None, "avg": {"$avg": "$n"}}}))
check("$sort and $limit over shards", [299, 298, 297], lambda: [d["n"] for d in run({"$sort": {"n": -1}}, {"$limit": 3})])
check("$lookup from a collection that is not sharded", ["Eve", "Nora", "Wim"], lambda: [d["who"][0]["name"] for d in run(
    {"$match": {"n": {"$lt": 3}}}, {"$lookup": {"from": "people", "localField": "place", "foreignField": "_id", "as": "who"}}, {"$sort": {"n": 1}})])
check("$lookup from a sharded collection", [["east", 100], ["north", 100], ["west", 100]], lambda: [[d["_id"], len(d["o"])] for d in run(
    {"$lookup": {"from": "orders", "localField": "_id", "foreignField": "place", "as": "o"}}, {"$sort": {"_id": 1}}, on=people)])
check("$facet", [{"few": [{"_id": 0}, {"_id": 1}], "count": [{"n": 300}]}],
      lambda: run({"$facet": {"few": [{"$sort": {"_id": 1}}, {"$limit": 2}, {"$project": {"_id": 1}}], "count": [{"$count": "n"}]}}))
check("$unionWith", 303, lambda: run({"$unionWith": "people"}, {"$count": "n"})[0]["n"])
check("$out", 10, lambda: (run({"$match": {"tens": 5}}, {"$out": "copied"}), db.copied.count_documents({}))[1])
check("$merge", 20, lambda: (run({"$match": {"tens": {"$in": [5, 6]}}}, {"$merge": {"into": "copied"}}), db.copied.count_documents({}))[1])
check("let and $expr", 3, lambda: len(run({"$match": {"$expr": {"$lt": ["$n", "$$most"]}}}, let={"most": 3})))
check("a comment and a hint", 300, lambda: len(run({"$match": {}}, comment="ours", hint="_id_")))
check("distinct", [places, [0, 1, 2]], lambda: [sorted(c.distinct("place")), sorted(c.distinct("tens", {"n": {"$lt": 30}}))])
check("count_documents with skip and limit", 5, lambda: c.count_documents({}, skip=10, limit=5))
check("the count command", 100, lambda: db.command("count", "orders", query={"place": "west"})["n"])
check("an unknown stage", {"code": 40324, "labels": []}, lambda: failing(lambda: run({"$unheardOf": 1})))
check("a division by zero", {"code": 2, "labels": []}, lambda: failing(lambda: run({"$project": {"x": {"$divide": ["$n", 0]}}})))
value("a whole group by tens", lambda: run({"$group": {"_id": "$tens", "sum": {"$sum": "$n"}, "most": {"$max": "$n"}}}, {"$sort": {"_id": 1}}))
done()
