"""The sharding commands as PyMongo sends them, and the catalogue that they write."""

from bson import SON, MinKey

from check import admin, check, client, db, done, failing, fill, places, shard_names, zone_range

config = client.config
shards = shard_names()
c = db.carts
ns = c.full_name
key = SON([("place", 1), ("n", 1)])

check("enableSharding", 1.0, lambda: admin.command("enableSharding", db.name)["ok"])
check("a range of a zone that is nowhere", {"code": 177, "labels": []}, lambda: failing(lambda: admin.command("updateZoneKeyRange", ns, **zone_range("east"), zone="nowhere")))
check("a zone on a shard that is nowhere", {"code": 70, "labels": []}, lambda: failing(lambda: admin.command("addShardToZone", "nowhere", zone="east")))
for i, place in enumerate(places):
    check(f"addShardToZone {place}", 1.0, lambda: admin.command("addShardToZone", shards[i], zone=place)["ok"])
    check(f"updateZoneKeyRange {place}", 1.0, lambda: admin.command("updateZoneKeyRange", ns, **zone_range(place), zone=place)["ok"])
check("a range that overlaps", {"code": 178, "labels": []}, lambda: failing(lambda: admin.command(
    "updateZoneKeyRange", ns, min=SON([("place", "east"), ("n", 5)]), max=SON([("place", "east"), ("n", 9)]), zone="west")))
check("shardCollection", ns, lambda: admin.command("shardCollection", ns, key=key)["collectionsharded"])
fill(c, 300)

check("config.tags has the ranges", places, lambda: [t["tag"] for t in config.tags.find({"ns": ns}).sort("min")])
check("config.shards has the zones", True, lambda: all(place in config.shards.find_one({"_id": shards[i]})["tags"] for i, place in enumerate(places)))
check("config.collections has the key", key, lambda: SON(config.collections.find_one({"_id": ns})["key"]))
check("config.databases has the primary shard", True, lambda: config.databases.find_one({"_id": db.name})["primary"] in shards)


def chunk_owners():
    uuid = config.collections.find_one({"_id": ns})["uuid"]
    return [config.chunks.find_one({"uuid": uuid, "min": zone_range(place)["min"]})["shard"] for place in places]


check("config.chunks has each zone on its shard", shards[:3], chunk_owners)
check("config can be aggregated", True, lambda: sum(d["n"] for d in config.chunks.aggregate([{"$group": {"_id": "$shard", "n": {"$sum": 1}}}])) >= 3)
check("collStats has every shard", [[100, 100, 100], True], lambda: (lambda s: [[s["shards"][name]["count"] for name in shards[:3]], s["sharded"]])(db.command("collStats", "carts")))
check("dbStats has every shard", len(shards), lambda: len(db.command("dbStats")["raw"]))
check("$collStats has every shard", shards[:3], lambda: sorted(s["shard"] for s in c.aggregate([{"$collStats": {"storageStats": {}}}])))
check("$shardedDataDistribution", 300, lambda: sum(s["numOwnedDocuments"] for s in next(
    d for d in admin.aggregate([{"$shardedDataDistribution": {}}]) if d["ns"] == ns)["shards"]))
check("balancerStatus", "full", lambda: admin.command("balancerStatus")["mode"])
check("balancerStop", ["off", True], lambda: (admin.command("balancerStop"), [admin.command("balancerStatus")["mode"], config.settings.find_one({"_id": "balancer"})["stopped"]])[1])
check("balancerStart", "full", lambda: (admin.command("balancerStart"), admin.command("balancerStatus")["mode"])[1])
check("balancerCollectionStatus", True, lambda: admin.command("balancerCollectionStatus", ns)["balancerCompliant"])
check("taking a range away", 0, lambda: (admin.command("updateZoneKeyRange", ns, **zone_range("west"), zone=None), config.tags.count_documents({"ns": ns, "tag": "west"}))[1])


def moved():
    coll = db.moved
    admin.command("shardCollection", coll.full_name, key={"n": 1})
    coll.insert_many([{"_id": n, "n": n} for n in range(50)])
    uuid = config.collections.find_one({"_id": coll.full_name})["uuid"]
    source = config.chunks.find_one({"uuid": uuid})["shard"]
    target = next(s for s in shards if s != source)
    admin.command("moveRange", coll.full_name, toShard=target, min={"n": MinKey()})
    return [config.chunks.find_one({"uuid": uuid})["shard"] == target, coll.count_documents({}), sum(d["n"] for d in coll.find())]


check("moveRange moves every document", [True, 50, 1225], moved)


def hashed():
    coll = db.hashed
    admin.command("shardCollection", coll.full_name, key={"who": "hashed"})
    coll.insert_many([{"_id": i, "who": f"user {i}"} for i in range(300)])
    uuid = config.collections.find_one({"_id": coll.full_name})["uuid"]
    return [coll.count_documents({}), coll.find_one({"who": "user 77"})["_id"], len(config.chunks.distinct("shard", {"uuid": uuid})) > 1]


check("a hashed shard key", [300, 77, True], hashed)
check("drop takes it out of the catalogue", [0, 0], lambda: (c.drop(), [config.collections.count_documents({"_id": ns}), config.tags.count_documents({"ns": ns})])[1])
done()
