"""Causal sessions: a session reads what it wrote, wherever it reads, and never goes back in time."""

from pymongo import ReadPreference, WriteConcern
from pymongo.read_concern import ReadConcern

from check import check, client, done, fill, places, spread

c = spread("causal")
fill(c, 3)
far = c.with_options(read_preference=ReadPreference.SECONDARY_PREFERRED, read_concern=ReadConcern("majority"), write_concern=WriteConcern("majority"))


def own_writes():
    seen = 0
    with client.start_session(causal_consistency=True) as session:
        for i in range(90):
            far.insert_one({"_id": 100 + i, "place": places[i % 3], "n": 100 + i}, session=session)
            seen += far.find_one({"place": places[i % 3], "n": 100 + i}, session=session) is not None
    return seen


def monotonic():
    back, last = 0, 0
    with client.start_session(causal_consistency=True) as session:
        for _ in range(40):
            far.update_one({"place": "east", "n": 0}, {"$inc": {"counter": 1}})  # by somebody else
            now = far.find_one({"place": "east", "n": 0}, session=session).get("counter", 0)
            back += now < last
            last = now
    return back


def handed_over():
    seen = 0
    with client.start_session() as first, client.start_session() as second:
        for i in range(30):
            far.insert_one({"_id": 300 + i, "place": places[i % 3], "n": 300 + i}, session=first)
            second.advance_cluster_time(first.cluster_time)
            second.advance_operation_time(first.operation_time)
            seen += far.count_documents({"_id": 300 + i}, session=second)
    return seen


def times():
    with client.start_session() as session:
        before = None
        for i in range(12):
            far.find({"place": places[i % 3]}, session=session).to_list()
            if before is not None and session.operation_time < before:
                return [before, session.operation_time]
            before = session.operation_time
        return session.operation_time <= session.cluster_time["clusterTime"]


check("90 writes are read by the session that made them", 90, own_writes)
check("a counter is never seen to go back", 0, monotonic)
check("another session goes on where the first was", 30, handed_over)
check("the session's times", True, times)
done()
