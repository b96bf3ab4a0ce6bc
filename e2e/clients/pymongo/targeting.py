"""What only a sharded collection refuses: statements that name no single shard."""

from check import check, done, failing, fill, spread

c = spread("targeted")
fill(c, 30)

check("update_one without shard key and _id", {"code": 72, "labels": []}, lambda: failing(lambda: c.update_one({"tens": 1}, {"$set": {"x": 1}})))
check("delete_one without shard key and _id", {"code": 61, "labels": []}, lambda: failing(lambda: c.delete_one({"tens": 1})))
check("find_one_and_update without the shard key", {"code": 61, "labels": []}, lambda: failing(lambda: c.find_one_and_update({"tens": 1}, {"$set": {"x": 1}})))
check("find_one_and_delete without the shard key", {"code": 61, "labels": []}, lambda: failing(lambda: c.find_one_and_delete({"tens": 1})))
check("an upsert without the whole shard key", {"code": 61, "labels": []}, lambda: failing(lambda: c.update_one({"place": "east"}, {"$set": {"x": 1}}, upsert=True)))
check("none of them changed anything", [30, 0], lambda: [c.count_documents({}), c.count_documents({"x": 1})])
check("a unique index that is not on the shard key", {"code": 67, "labels": []}, lambda: failing(lambda: c.create_index("tens", unique=True)))
check("update_many without the shard key", 10, lambda: c.update_many({"tens": 1}, {"$set": {"x": 1}}).modified_count)
check("delete_many without the shard key", 10, lambda: c.delete_many({"tens": 1}).deleted_count)
done()
