"""explain names the shards that a statement touches."""

from bson import SON

from check import check, db, done, fill, places, shard_names, spread

c = spread("explained")
fill(c, 300)
shards = shard_names()[:3]


def plan(name, verbosity="queryPlanner", **arguments):
    return db.command("explain", SON([(name, "explained"), *arguments.items()]), verbosity=verbosity)


def touched(explained):
    """The names of the shards in a plan, sorted."""
    if "shards" in explained:  # an aggregation over shards
        return sorted(explained["shards"])
    return sorted(s["shardName"] for s in explained["queryPlanner"]["winningPlan"]["shards"])


for i, place in enumerate(places):
    check(f"find in {place} touches one shard", [shards[i]], lambda: touched(plan("find", filter={"place": place})))
check("find everywhere", shards, lambda: touched(plan("find", filter={"tens": 3})))
check("the cursor's own explain", [shards[1]], lambda: touched(c.find({"place": "north"}).explain()))
check("sorted, everywhere", "SHARD_MERGE_SORT", lambda: plan("find", filter={}, sort={"n": 1})["queryPlanner"]["winningPlan"]["stage"])
check("executionStats", 100, lambda: plan("find", "executionStats", filter={"place": "west"})["executionStats"]["nReturned"])
check("an aggregation everywhere", shards, lambda: touched(plan("aggregate", pipeline=[{"$group": {"_id": "$tens"}}], cursor={})))
check("an update", [shards[1]], lambda: touched(plan("update", updates=[{"q": {"place": "north", "n": 4}, "u": {"$set": {"x": 1}}}])))
check("a delete", [shards[2]], lambda: touched(plan("delete", deletes=[{"q": {"place": "west", "n": 5}, "limit": 1}])))
check("a count", [shards[0]], lambda: touched(plan("count", query={"place": "east"})))
check("nothing was written", [300, 0], lambda: [c.count_documents({}), c.count_documents({"x": 1})])
done()
