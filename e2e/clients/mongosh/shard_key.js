// A document moves to another shard when the value of its shard key changes.
const c = spread('movers');
fill(c, 30);

function where(id) {
  return c.find({ _id: id }).map((d) => [d.place, d.n]).toArray();
}

check('updateOne moves a document', [1, 1, [['west', 0]]], () => { const r = c.updateOne({ place: 'east', n: 0 }, { $set: { place: 'west' } }); return [r.matchedCount, r.modifiedCount, where(0)]; });
check('replaceOne moves a document', [1, [['east', 1]]], () => [c.replaceOne({ place: 'north', n: 1 }, { place: 'east', n: 1, fresh: true }).modifiedCount, where(1)]);
check('findOneAndUpdate moves a document and gives the old one', ['west', [['north', 2]]], () => [c.findOneAndUpdate({ place: 'west', n: 2 }, { $set: { place: 'north' } }).place, where(2)]);
check('findOneAndUpdate moves a document and gives the new one', ['north', [['north', 3]]],
  () => [c.findOneAndUpdate({ place: 'east', n: 3 }, { $set: { place: 'north' } }, { returnDocument: 'after' }).place, where(3)]);
check('a change inside one shard', [1, [['north', 400]]], () => [c.updateOne({ place: 'north', n: 4 }, { $set: { n: 400 } }).modifiedCount, where(4)]);
// A query router of 6.0 refuses an update that moves its document unless it is sent alone: what comes before it is done, and the rest can follow one by one.
check('in a bulk with others', { modified: 3, inserted: 1 }, () => {
  const operations = [
    { updateOne: { filter: { place: 'west', n: 5 }, update: { $set: { x: 1 } } } },
    { updateOne: { filter: { place: 'east', n: 6 }, update: { $set: { place: 'west' } } } },
    { insertOne: { document: { _id: 60, place: 'east', n: 60 } } },
    { updateOne: { filter: { place: 'west', n: 6 }, update: { $set: { x: 2 } } } },
  ];
  const sum = { modified: 0, inserted: 0 };
  const add = (r) => { sum.modified += r.modifiedCount; sum.inserted += r.insertedCount; };
  if (!sharded) {
    add(c.bulkWrite(operations));
    return sum;
  }
  try {
    return { 'not refused': c.bulkWrite(operations) };
  } catch (error) {
    const told = (error.writeErrors ?? []).map((e) => [e.index ?? e.err?.index, e.code ?? e.err?.code]);
    if (show(told) !== show([[1, 72]])) {
      return { 'refused otherwise': told, because: complaint(error) };
    }
  }
  sum.modified = c.countDocuments({ _id: 5, x: 1 });
  operations.slice(1).forEach((o) => add(c.bulkWrite([o])));
  return sum;
});
check('in a transaction that commits', [['east', 7]], () => {
  const session = db.getMongo().startSession();
  session.startTransaction();
  session.getDatabase(db.getName()).movers.updateOne({ place: 'north', n: 7 }, { $set: { place: 'east' } });
  session.commitTransaction();
  session.endSession();
  return where(7);
});
check('in a transaction that is aborted', [['west', 8]], () => {
  const session = db.getMongo().startSession();
  session.startTransaction();
  session.getDatabase(db.getName()).movers.updateOne({ place: 'west', n: 8 }, { $set: { place: 'east' } });
  session.abortTransaction();
  session.endSession();
  return where(8);
});
check('an _id that the other shard has', { code: 11000, labels: [] }, () => {
  // On one plain member the _id is taken at once, so the second document has to have another one there.
  if (!sharded) {
    return failing(() => c.insertOne({ _id: 9, place: 'west', n: 9 }));
  }
  c.insertOne({ _id: 9, place: 'west', n: 909 });
  const got = failing(() => c.updateOne({ place: 'east', n: 9 }, { $set: { place: 'west' } }));
  c.deleteOne({ place: 'west', n: 909 });
  return got;
});
check('nothing was lost or doubled', [31, 31], () => [c.countDocuments(), c.distinct('_id').length]);
done();
