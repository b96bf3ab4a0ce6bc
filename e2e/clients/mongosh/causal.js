// Causal sessions: a session reads what it wrote, wherever it reads, and never goes back in time.
const c = spread('causal');
fill(c, 3);
const options = { causalConsistency: true, readConcern: { level: 'majority' }, writeConcern: { w: 'majority' }, readPreference: { mode: 'secondaryPreferred' } };

function inSession(body) {
  const session = db.getMongo().startSession(options);
  try {
    const got = body(session, session.getDatabase(db.getName()).causal); // not returned at once: the session must outlive it
    return got;
  } finally {
    session.endSession();
  }
}

check('60 writes are read by the session that made them', 60, () => inSession((session, s) => {
  let seen = 0;
  for (let i = 0; i < 60; i++) {
    s.insertOne({ _id: 100 + i, place: places[i % 3], n: 100 + i });
    seen += s.countDocuments({ place: places[i % 3], n: 100 + i });
  }
  return seen;
}));
check('a counter is never seen to go back', [0, 30], () => inSession((session, s) => {
  let back = 0;
  let last = 0;
  for (let i = 0; i < 30; i++) {
    s.updateOne({ place: 'east', n: 0 }, { $inc: { counter: 1 } });
    const now = s.findOne({ place: 'east', n: 0 }).counter;
    back += now < last ? 1 : 0;
    last = now;
  }
  return [back, last];
}));
check('every answer carries the times', [true, true], () => inSession((session, s) => {
  s.insertOne({ _id: 200, place: 'north', n: 200 });
  return [session.getOperationTime() instanceof Timestamp, session.getClusterTime().clusterTime instanceof Timestamp];
}));
check('the session\'s time does not go back', true, () => inSession((session, s) => {
  let before = null;
  for (let i = 0; i < 12; i++) {
    s.find({ place: places[i % 3] }).toArray();
    const now = session.getOperationTime();
    if (before !== null && now.compare(before) < 0) {
      return [before, now];
    }
    before = now;
  }
  return true;
}));
check('another session goes on where the first was', 20, () => inSession((first, one) => inSession((second, two) => {
  let seen = 0;
  for (let i = 0; i < 20; i++) {
    one.insertOne({ _id: 300 + i, place: places[i % 3], n: 300 + i });
    second.advanceOperationTime(first.getOperationTime());
    second.advanceClusterTime(first.getClusterTime());
    seen += two.countDocuments({ _id: 300 + i });
  }
  return seen;
})));
check('a write on one shard is known before a read of another', 1, () => inSession((session, s) => {
  s.updateOne({ place: 'west', n: 2 }, { $set: { mark: 1 } });
  s.findOne({ place: 'north', n: 1 });
  return s.find({ mark: 1 }).toArray().length;
}));
done();
