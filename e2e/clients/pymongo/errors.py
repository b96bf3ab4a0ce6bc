"""What fails has to fail with the class and the code that programs branch on."""

import os

from bson.errors import InvalidDocument
from pymongo import MongoClient, WriteConcern, errors
from pymongo.read_concern import ReadConcern

from check import check, db, done, failing, fill, ns_of, spread

c = spread("errors")
fill(c, 3)


def raised(body):
    try:
        body()
    except (errors.PyMongoError, InvalidDocument) as error:
        return [type(error).__name__, getattr(error, "code", None)]
    return None


check("a duplicate key", ["DuplicateKeyError", 11000], lambda: raised(lambda: c.insert_one({"_id": 0, "place": "east", "n": 0})))
check("an unknown command", ["OperationFailure", 59], lambda: raised(lambda: db.command("unheardOf")))
check("an unknown operator", ["OperationFailure", 2], lambda: raised(lambda: c.find_one({"n": {"$unheardOf": 1}})))
check("an unknown update operator", ["WriteError", 9], lambda: raised(lambda: c.update_one({"place": "east", "n": 0}, {"$unheardOf": {"a": 1}})))
check("_id cannot change", ["WriteError", 66], lambda: raised(lambda: c.update_one({"place": "east", "n": 0}, {"$set": {"_id": 9}})))
check("an unknown write concern", ["WriteConcernError", 79], lambda: raised(lambda: c.with_options(write_concern=WriteConcern("unheardOf")).insert_one({"place": "east", "n": 10})))
check("more members than there are", True, lambda: raised(lambda: c.with_options(write_concern=WriteConcern(9, wtimeout=500)).insert_one({"place": "east", "n": 11}))[0] in ("WriteConcernError", "WTimeoutError"))
check("an unknown read concern", ["OperationFailure", 9], lambda: raised(lambda: c.with_options(read_concern=ReadConcern("unheardOf")).find_one()))
# Where the JavaScript engine is the first to notice, on a busy machine, the server says 11601 (Interrupted).
check("time runs out", True, lambda: raised(lambda: c.find(
    {"$expr": {"$function": {"body": "function() { sleep(300); return true; }", "args": [], "lang": "js"}}}).max_time_ms(100).to_list())[1] in (50, 11601))
check("too large for one document", True, lambda: raised(lambda: c.insert_one({"place": "east", "n": 800, "data": b"x" * 17_000_000}))[0] in ("DocumentTooLarge", "WriteError", "OperationFailure"))
check("findAndModify of a bad update", {"code": 9, "labels": []}, lambda: failing(lambda: c.find_one_and_update({"place": "east", "n": 0}, {"$unheardOf": {"a": 1}})))
check("a command for admin alone", ["OperationFailure", 13], lambda: raised(lambda: db.command("listDatabases")))
check("a bad collection name", True, lambda: raised(lambda: db.command({"insert": "", "documents": [{}]}))[1] == 73)
check("the client goes on", [0, 1, 2], lambda: ns_of(c.find({"n": {"$lt": 3}}).sort("n")))


def crowd():
    """Twenty clients of their own, each with one document."""
    for i in range(20):
        with MongoClient(os.environ["CLIENTS_URI"]) as one:
            one[db.name].errors.insert_one({"_id": f"crowd {i}", "place": "west", "n": 1000 + i})
    return c.count_documents({"n": {"$gte": 1000}})


check("many clients, one after the other", 20, crowd)
done()
