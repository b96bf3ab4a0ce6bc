// A snapshot session reads one moment of all shards, whatever is written meanwhile.
const c = spread('snapshot');
fill(c, 30);
const session = db.getMongo().startSession({ snapshot: true });
const s = session.getDatabase(db.getName()).snapshot;

check('the first read sets the moment', 30, () => s.find({}).toArray().length);
check('later writes are not seen by find', [31, 30], () => {
  c.insertOne({ _id: 100, place: 'east', n: 100 });
  c.updateMany({}, { $set: { late: true } });
  return [c.countDocuments(), s.find({ late: { $exists: false } }).toArray().length];
});
check('nor by an aggregation', [{ _id: 'east', n: 10 }, { _id: 'north', n: 10 }, { _id: 'west', n: 10 }],
  () => s.aggregate([{ $group: { _id: '$place', n: { $sum: 1 } } }, { $sort: { _id: 1 } }]).toArray());
check('nor by countDocuments', 0, () => s.countDocuments({ late: true }));
check('nor by distinct', 30, () => s.distinct('n').length);
check('a document that was deleted is still there', 1, () => { c.deleteOne({ place: 'west', n: 2 }); return s.find({ place: 'west', n: 2 }).toArray().length; });
check('a write in it is refused', 'refused', () => { const got = failing(() => s.insertOne({ place: 'east', n: 200 })); return got.code !== undefined || got.error !== undefined ? 'refused' : got; });
check('a new session sees all', [30, 30], () => {
  const fresh = db.getMongo().startSession({ snapshot: true });
  const f = fresh.getDatabase(db.getName()).snapshot;
  const got = [f.countDocuments({}), f.countDocuments({ late: true })];
  fresh.endSession();
  return got;
});
session.endSession();
done();
