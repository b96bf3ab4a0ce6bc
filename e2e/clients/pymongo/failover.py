"""Retryable writes while a primary is killed: each acknowledged write is there exactly once, and no error reaches the client.

Three threads write until the file CLIENTS_STOP is there. The script says "# writing" when they have begun.
"""

import collections
import os
import threading
import time

from pymongo import InsertOne
from pymongo.errors import PyMongoError

from check import check, complaint, done, note, places, spread

c = spread("failover")
STOP = os.environ["CLIENTS_STOP"]
begun = threading.Barrier(len(places) + 1)


class Writer(threading.Thread):
    """Writes to one place, and keeps account of what was acknowledged."""

    def __init__(self, index):
        super().__init__()
        self.index, self.place = index, places[index]
        self.inserted, self.errors, self.slowest = [], [], 0.0
        # An increment that failed may have been applied or not: no more of them than were tried, no fewer than were acknowledged.
        self.tried, self.acknowledged = 0, 0

    def run(self):
        turn = 0
        while not os.path.exists(STOP):
            started = time.monotonic()
            try:
                self.once(turn)
            except PyMongoError as error:
                self.errors.append(complaint(error))
            self.slowest = max(self.slowest, time.monotonic() - started)
            if turn == 5:
                begun.wait()
            turn += 1

    def once(self, turn):
        counter = {"place": self.place, "n": -1}
        c.insert_one({"_id": f"{self.place} {turn}", "place": self.place, "n": turn})
        self.inserted.append(f"{self.place} {turn}")
        self.tried += 1
        c.update_one(counter, {"$inc": {"count": 1}})
        self.acknowledged += 1
        self.tried += 1
        c.find_one_and_update(counter, {"$inc": {"count": 1}})
        self.acknowledged += 1
        if turn % 5 == 0:
            c.bulk_write([InsertOne({"_id": f"{self.place} {turn} {place}", "place": place, "n": turn}) for place in places], ordered=turn % 2 == 0)
            self.inserted += [f"{self.place} {turn} {place}" for place in places]


c.insert_many([{"_id": f"counter {place}", "place": place, "n": -1, "count": 0} for place in places])
writers = [Writer(i) for i in range(len(places))]
for writer in writers:
    writer.start()
begun.wait()
note("writing")
for writer in writers:
    writer.join()

inserted = [identity for writer in writers for identity in writer.inserted]
note(f"{len(inserted)} inserts, {sum(w.acknowledged for w in writers)} increments; the slowest round took {max(w.slowest for w in writers) * 1000:.0f} ms")


def account():
    times = collections.Counter(d["_id"] for d in c.find({"n": {"$gte": 0}}, {"_id": 1}))
    return {"lost": sum(identity not in times for identity in inserted), "doubled": sum(n > 1 for n in times.values())}


def miscounted():
    counts = {w: c.find_one({"place": w.place, "n": -1})["count"] for w in writers}
    return [[w.place, n, w.acknowledged, w.tried] for w, n in counts.items() if not w.acknowledged <= n <= w.tried]


check("no error reached the client", [], lambda: [e for w in writers for e in w.errors][:3])
check("each acknowledged insert is there once", {"lost": 0, "doubled": 0}, account)
check("each acknowledged increment is counted once", [], miscounted)
check("every place was written to", True, lambda: all(w.acknowledged > 0 for w in writers))
done()
