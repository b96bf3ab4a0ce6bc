"""A snapshot session reads one moment of all shards, whatever is written meanwhile."""

from pymongo.errors import PyMongoError

from check import check, client, done, fill, ns_of, places, spread

c = spread("snapshot")
fill(c, 30)
session = client.start_session(snapshot=True)

check("the first read sets the moment", list(range(30)), lambda: ns_of(c.find(session=session).sort("n")))
check("later writes are not seen", [31, 30, 0], lambda: (
    c.insert_one({"_id": 100, "place": "east", "n": 100}), c.update_many({}, {"$set": {"late": True}}),
    [c.count_documents({}), c.count_documents({}, session=session), c.count_documents({"late": True}, session=session)])[2])
check("nor by an aggregation", [{"_id": p, "n": 10} for p in places], lambda: c.aggregate([{"$group": {"_id": "$place", "n": {"$sum": 1}}}, {"$sort": {"_id": 1}}], session=session).to_list())
check("nor by distinct", 30, lambda: len(c.distinct("n", session=session)))
check("in many batches", 30, lambda: len(c.find(session=session).batch_size(4).to_list()))
check("a deleted document is still there", 2, lambda: (c.delete_one({"place": "west", "n": 2}), c.find_one({"place": "west", "n": 2}, session=session)["_id"])[1])


def written():
    try:
        c.insert_one({"place": "east", "n": 200}, session=session)
    except PyMongoError:
        return "refused"
    return "written"


check("a write in it is refused", "refused", written)
session.end_session()
done()
