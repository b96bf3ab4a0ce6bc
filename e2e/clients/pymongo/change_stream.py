"""A change stream works, or it is refused with a clear error: nothing in between."""

import re
import time

from pymongo.errors import OperationFailure

from check import check, done, fill, note, places, spread

c = spread("watched")
fill(c, 3)
refused = False
token = None


def following(stream):
    """Wait for the next event; None after a minute without one."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        event = stream.try_next()
        if event is not None:
            return event
    return None


def or_refused(name, want, body):
    """Check body's result where change streams work, and that every use of them is refused where they do not."""

    def attempt():
        global refused
        try:
            got = body()
        except OperationFailure as error:
            if error.code != 115 or not re.search("change stream.*not supported", str(error), re.I):
                raise
            note(f"refused: {error}")
            refused = True
            return want
        return ["works here, but was refused before", got] if refused else got

    check(name, want, attempt)


def three_events():
    global token
    with c.watch(max_await_time_ms=500) as stream:
        c.insert_one({"_id": 10, "place": "east", "n": 10})
        c.update_one({"place": "north", "n": 1}, {"$set": {"x": 1}})
        c.delete_one({"place": "west", "n": 2})
        events = [following(stream) for _ in range(3)]
    token = events[0]["_id"]
    return [[e["operationType"], places[e["documentKey"]["_id"] % 3] if e["operationType"] != "insert" else e["fullDocument"]["place"]] for e in events]


def resumed():
    with c.watch(resume_after=token, max_await_time_ms=500) as stream:
        return [following(stream)["operationType"] for _ in range(2)]


def whole_database():
    with c.database.watch([{"$match": {"operationType": "insert"}}], max_await_time_ms=500) as stream:
        c.database.other.insert_one({"_id": 1})
        return following(stream)["ns"]["coll"]


or_refused("it tells of an insert, an update and a delete on three shards", [["insert", "east"], ["update", "north"], ["delete", "west"]], three_events)
or_refused("it resumes after a token", ["update", "delete"], resumed)
or_refused("it watches a whole database", "other", whole_database)
done()
