"""Transactions on one shard and on several: commit, abort, conflicts, and the labels by which drivers repeat them."""

import threading

from pymongo import ReadPreference, WriteConcern
from pymongo.errors import InvalidOperation, OperationFailure
from pymongo.read_concern import ReadConcern

from check import check, client, db, done, failing, failure, fill, places, shard_names, sharded, spread

c = spread("accounts")
fill(c, 30)
MAJORITY = WriteConcern("majority")


def give(session, source, target, amount=1):
    c.update_one({"place": places[source % 3], "n": source}, {"$inc": {"money": -amount}}, session=session)
    c.update_one({"place": places[target % 3], "n": target}, {"$inc": {"money": amount}}, session=session)


def money(*numbers):
    return [c.find_one({"n": n}).get("money", 0) for n in numbers]


def transfer(source, target, commit):
    with client.start_session() as session:
        session.start_transaction(ReadConcern("snapshot"), MAJORITY)
        give(session, source, target)
        session.commit_transaction() if commit else session.abort_transaction()
    return money(source, target)


check("a commit on one shard", [-1, 1], lambda: transfer(0, 3, True))
check("an abort on one shard", [-1, 1], lambda: transfer(0, 3, False))
check("a commit on two shards", [-1, 1], lambda: transfer(4, 5, True))
check("an abort on two shards", [-1, 1], lambda: transfer(4, 5, False))


def isolated():
    with client.start_session() as session, session.start_transaction():
        give(session, 6, 7)
        outside = money(6, 7)
        inside = [d["money"] for d in c.find({"n": {"$in": [6, 7]}}, session=session).sort("n")]
    return [outside, inside, money(6, 7)]


check("nobody else sees it before the commit", [[0, 0], [-1, 1], [-1, 1]], isolated)


def reads():
    with client.start_session() as session, session.start_transaction(read_preference=ReadPreference.PRIMARY):
        return [
            [d["n"] for d in c.find(session=session).sort("n", -1).limit(3)],
            c.count_documents({"place": "west"}, session=session),
            list(c.aggregate([{"$group": {"_id": "$place", "n": {"$sum": 1}}}, {"$sort": {"_id": 1}}], session=session)),
            sorted(d["_id"] for d in c.find({}, {"_id": 1}, session=session).batch_size(4)) == list(range(30)),
        ]


check("reads over all shards in it", [[29, 28, 27], 10, [{"_id": p, "n": 10} for p in places], True], reads)


def conflict():
    with client.start_session() as session:
        session.start_transaction(ReadConcern("snapshot"))
        c.find_one({"place": "east", "n": 12}, session=session)
        c.update_one({"place": "east", "n": 12}, {"$set": {"other": 1}})
        got = failing(lambda: c.update_one({"place": "east", "n": 12}, {"$set": {"mine": 1}}, session=session).modified_count)
        session.abort_transaction()
        return got


check("a write conflict is transient", {"code": 112, "labels": ["TransientTransactionError"]}, conflict)


def duplicate():
    with client.start_session() as session:
        session.start_transaction()
        c.update_one({"place": "north", "n": 13}, {"$set": {"lost": 1}}, session=session)
        got = failing(lambda: c.insert_one({"_id": 13, "place": "north", "n": 13}, session=session))
        session.abort_transaction()
        return [got, c.count_documents({"lost": 1})]


check("a duplicate key ends it and is not transient", [{"code": 11000, "labels": []}, 0], duplicate)


def after_error():
    """The server ends a transaction at its first error: the next statement says so."""
    with client.start_session() as session:
        session.start_transaction()
        failing(lambda: c.insert_one({"_id": 13, "place": "north", "n": 13}, session=session))
        got = failing(lambda: c.find_one({"place": "north", "n": 13}, session=session))
        session.abort_transaction()
        return got


check("a statement after the error", {"code": 251, "labels": ["TransientTransactionError"]}, after_error)


def refused():
    with client.start_session() as session:
        try:
            session.commit_transaction()
        except InvalidOperation:
            return "refused"
    return "committed"


check("a commit of nothing", "refused", refused)


def many():
    """Four writers, each with ten transactions on the same two documents: every one is repeated until it is in."""
    errors = []

    def work():
        try:
            for _ in range(10):
                with client.start_session() as session:
                    session.with_transaction(lambda s: give(s, 19, 20), write_concern=MAJORITY)
        except OperationFailure as error:
            errors.append(failure(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [errors, money(19, 20)]


check("with_transaction under contention", [[], [-40, 40]], many)


def created():
    """A transaction over several shards may not make a collection, which is made on the database's primary shard: so the other write goes there, too."""
    beside = places[2]
    if sharded:
        primary = client.config.databases.find_one({"_id": db.name})["primary"]
        beside = next(place for place, shard in zip(places, shard_names()) if shard == primary)
    with client.start_session() as session, session.start_transaction():
        db.fresh.insert_one({"_id": 1}, session=session)
        c.insert_one({"_id": 300, "place": beside, "n": 300}, session=session)
    return [db.fresh.count_documents({}), c.count_documents({"n": 300})]


check("a collection that is made in it, beside a spread one", [1, 1], created)
check("the sum of all money", 0, lambda: next(c.aggregate([{"$group": {"_id": None, "sum": {"$sum": "$money"}}}]))["sum"])
done()
