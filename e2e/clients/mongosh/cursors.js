// Cursors: 100,000 documents over all shards, batches, sorting, closing early.
const total = 100000;
const c = spread('many');
fill(c, total);

check('100,000 documents are in', total, () => c.countDocuments());
check('a cursor gives each once', { count: total, sum: (total * (total - 1)) / 2, distinct: total }, () => {
  const seen = new Set();
  let sum = 0;
  let count = 0;
  const cursor = c.find({}, { n: 1 }).batchSize(5000);
  for (const document of cursor.toArray()) {
    seen.add(document._id);
    sum += document.n;
    count++;
  }
  return { count, sum, distinct: seen.size };
});
check('a sorted cursor keeps the order', [total, -1], () => {
  const got = c.find({}, { n: 1 }).sort({ n: 1 }).batchSize(7000).toArray();
  let wrong = -1;
  for (let i = 0; i < got.length && wrong < 0; i++) {
    if (got[i].n !== i) {
      wrong = i;
    }
  }
  return [got.length, wrong];
});
check('hasNext and next', 2500, () => {
  const cursor = c.find({ n: { $lt: 2500 } }).batchSize(100);
  let count = 0;
  while (cursor.hasNext()) {
    cursor.next();
    count++;
  }
  return count;
});
check('itcount of one place', 33333, () => c.find({ place: 'west' }).batchSize(2000).itcount());
check('skip far in', [99990, 10], () => {
  const got = c.find().sort({ n: 1 }).skip(99990).toArray();
  return [got[0].n, got.length];
});
check('limit over many batches', 12345, () => c.find().limit(12345).batchSize(1000).toArray().length);
check('a limit of one batch', 5, () => c.find().limit(-5).toArray().length);
check('an aggregation of many batches', total, () => c.aggregate([{ $project: { n: 1 } }], { cursor: { batchSize: 6000 } }).toArray().length);
check('a sorted aggregation that may use the disk', [99999, 0], () => {
  const got = c.aggregate([{ $project: { n: 1 } }, { $sort: { n: -1 } }], { allowDiskUse: true, cursor: { batchSize: 9000 } }).toArray();
  return [got[0].n, got[got.length - 1].n];
});
check('a group over all', 10000, () => c.aggregate([{ $group: { _id: '$tens' } }], { cursor: { batchSize: 1000 } }).toArray().length);
check('two cursors side by side', [300, 300], () => {
  const one = c.find().sort({ n: 1 }).limit(300).batchSize(50);
  const other = c.find().sort({ n: -1 }).limit(300).batchSize(70);
  let a = 0;
  let b = 0;
  for (let i = 0; i < 300; i++) {
    a += one.next().n === i ? 1 : 0;
    b += other.next().n === total - 1 - i ? 1 : 0;
  }
  return [a, b];
});
check('closing early', total, () => {
  const cursor = c.find().batchSize(10);
  cursor.next();
  cursor.close();
  return c.countDocuments();
});
check('getMore of a cursor that never was', { code: 43, labels: [] }, () => failing(() => db.runCommand({ getMore: Long('12345'), collection: 'many' })));
check('a cursor survives writes', total, () => {
  const cursor = c.find({ n: { $gte: 0 } }).batchSize(1000);
  cursor.next();
  c.updateMany({ n: { $lt: 300 } }, { $set: { touched: true } });
  return cursor.toArray().length + 1;
});
check('deleteMany of all', total, () => c.deleteMany({}).deletedCount);
done();
