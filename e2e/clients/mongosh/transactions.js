// Transactions on one shard and on several: commit, abort, conflicts, and the labels by which drivers repeat them.
const c = spread('accounts');
fill(c, 30);
const session = db.getMongo().startSession();
const t = session.getDatabase(db.getName()).getCollection('accounts');

// move takes one from a document and gives it to another, in a transaction that is left open.
function move(from, to) {
  session.startTransaction({ readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' } });
  t.updateOne({ place: places[from % 3], n: from }, { $inc: { money: -1 } });
  t.updateOne({ place: places[to % 3], n: to }, { $inc: { money: 1 } });
}

function money(n) {
  return c.findOne({ n }).money ?? 0;
}

check('a commit on one shard', [-1, 1], () => { move(0, 3); session.commitTransaction(); return [money(0), money(3)]; });
check('an abort on one shard', [-1, 1], () => { move(0, 3); session.abortTransaction(); return [money(0), money(3)]; });
check('a commit on two shards', [-1, 1], () => { move(4, 5); session.commitTransaction(); return [money(4), money(5)]; });
check('an abort on two shards', [-1, 1], () => { move(4, 5); session.abortTransaction(); return [money(4), money(5)]; });
check('nobody else sees it before the commit', [0, 0, -1], () => {
  move(6, 7);
  const before = [money(6), money(7)];
  session.commitTransaction();
  return before.concat(money(6));
});
check('the transaction sees its own writes', [[-1, 1], 2], () => {
  move(9, 10);
  const own = [t.findOne({ place: 'east', n: 9 }).money, t.findOne({ place: 'north', n: 10 }).money];
  const count = t.countDocuments({ n: { $in: [9, 10] }, money: { $exists: true } });
  session.abortTransaction();
  return [own, count];
});
check('a sorted find over all shards in it', [29, 28, 27, 26], () => {
  session.startTransaction();
  const got = t.find().sort({ n: -1 }).limit(4).toArray().map((d) => d.n);
  session.commitTransaction();
  return got;
});
check('an aggregation over all shards in it', [{ _id: 'east', n: 10 }, { _id: 'north', n: 10 }, { _id: 'west', n: 10 }], () => {
  session.startTransaction();
  const got = t.aggregate([{ $group: { _id: '$place', n: { $sum: 1 } } }, { $sort: { _id: 1 } }]).toArray();
  session.commitTransaction();
  return got;
});
check('inserts and deletes on three shards', [33, 30], () => {
  session.startTransaction();
  t.insertMany([{ _id: 100, place: 'east', n: 100 }, { _id: 101, place: 'north', n: 101 }, { _id: 102, place: 'west', n: 102 }]);
  session.commitTransaction();
  const after = c.countDocuments();
  session.startTransaction();
  t.deleteMany({ n: { $gte: 100 } });
  session.commitTransaction();
  return [after, c.countDocuments()];
});
check('a write conflict is transient', { code: 112, labels: ['TransientTransactionError'] }, () => {
  session.startTransaction({ readConcern: { level: 'snapshot' } });
  t.findOne({ place: 'east', n: 12 });
  c.updateOne({ place: 'east', n: 12 }, { $set: { other: 1 } });
  const got = failing(() => t.updateOne({ place: 'east', n: 12 }, { $set: { mine: 1 } }));
  session.abortTransaction();
  return got;
});
check('a duplicate key ends it and is not transient', [{ code: 11000, labels: [] }, 0], () => {
  session.startTransaction();
  t.updateOne({ place: 'north', n: 13 }, { $set: { lost: 1 } });
  const got = failing(() => t.insertOne({ _id: 13, place: 'north', n: 13 }));
  session.abortTransaction();
  return [got, c.countDocuments({ lost: 1 })];
});
check('a statement after the abort is refused', true, () => {
  session.startTransaction();
  t.insertOne({ _id: 200, place: 'west', n: 200 });
  session.abortTransaction();
  return c.countDocuments({ n: 200 }) === 0;
});
check('commit twice is one commit', [-2, 2], () => { move(0, 3); session.commitTransaction(); session.commitTransaction(); return [money(0), money(3)]; });
check('withTransaction', [-1, 1], () => {
  session.withTransaction(() => {
    t.updateOne({ place: 'east', n: 15 }, { $inc: { money: -1 } });
    t.updateOne({ place: 'west', n: 17 }, { $inc: { money: 1 } });
  });
  return [money(15), money(17)];
});
check('the sum of all money', 0, () => c.aggregate([{ $group: { _id: null, sum: { $sum: '$money' } } }]).toArray()[0].sum);
session.endSession();
done();
