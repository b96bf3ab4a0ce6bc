"""The vocabulary of the scripts.

CLIENTS_TOPOLOGY says what a script runs against: "sharded" (a query router) or "replicaset". CLIENTS_DB names its database, which is empty when it starts.
"""

import os

from bson import SON, MinKey, json_util
from pymongo import MongoClient
from pymongo.errors import PyMongoError

sharded = os.environ["CLIENTS_TOPOLOGY"] == "sharded"

# The values of the first shard key field of every spread collection. Each place is a zone of its own shard.
places = ["east", "north", "west"]

client = MongoClient(os.environ["CLIENTS_URI"])
db = client[os.environ["CLIENTS_DB"]]
admin = client.admin

_checks = 0


def show(value):
    return json_util.dumps(value, json_options=json_util.RELAXED_JSON_OPTIONS)


def complaint(error):
    return f"{type(error).__name__} {getattr(error, 'code', '')}: {' '.join(str(error).split())}"


def check(name, want, body):
    """Run body and compare what it returns with want."""
    global _checks
    _checks += 1
    try:
        got = body()
    except Exception as error:  # a check that raises does not hold; the next ones are still made
        print(f"not ok {name}: got {complaint(error)}, want {show(want)}")
        return
    if got == want:
        print(f"ok {name}")
    else:
        print(f"not ok {name}: got {show(got)}, want {show(want)}")


def value(name, body):
    """Print what body returns or how it fails, to be compared with the same line of another run."""
    try:
        got = body()
    except PyMongoError as error:
        got = failure(error)
    print(f"= {name}: {show(got)}")


LABELS = ["RetryableWriteError", "TransientTransactionError", "UnknownTransactionCommitResult", "ResumableChangeStreamError"]


def failure(error):
    """What programs branch on: the code and the labels."""
    return {"code": getattr(error, "code", None), "labels": [name for name in LABELS if error.has_error_label(name)]}


def failing(body):
    """Return how body fails."""
    try:
        return {"no error, but": body()}
    except PyMongoError as error:
        return failure(error)


def note(text):
    print(f"# {text}")


def done():
    print(f"done {_checks}")


def shard_names():
    return sorted(shard["_id"] for shard in admin.command("listShards")["shards"])


def zone_range(place):
    return {"min": SON([("place", place), ("n", MinKey())]), "max": SON([("place", place + "\0"), ("n", MinKey())])}


def spread(name):
    """Return an empty collection with an index on place and n. Where there are shards, that is its shard key, and each place lives on a shard of its own."""
    coll = db[name]
    if not sharded:
        coll.create_index([("place", 1), ("n", 1)])
        return coll
    shards = shard_names()
    admin.command("enableSharding", db.name)
    for i, place in enumerate(places):
        admin.command("addShardToZone", shards[i % len(shards)], zone=place)
        admin.command("updateZoneKeyRange", coll.full_name, **zone_range(place), zone=place)
    admin.command("shardCollection", coll.full_name, key=SON([("place", 1), ("n", 1)]))
    return coll


def fill(coll, count):
    """Put count documents into a spread collection, in turn for each place, with _id and n from 0."""
    documents = ({"_id": i, "place": places[i % 3], "n": i, "tens": i // 10} for i in range(count))
    coll.insert_many(documents, ordered=False)  # in order, every change of place would be a round trip


def ns_of(cursor, field="n"):
    return [document[field] for document in cursor]
