// bulkWrite, ordered and not, with and without errors in the middle.
const c = spread('bulk');

// counts is the part of a bulk result that is the same for every client.
function counts(r) {
  return { inserted: r.insertedCount, matched: r.matchedCount, modified: r.modifiedCount, deleted: r.deletedCount, upserted: r.upsertedCount };
}

// broken runs operations and returns the counts and errors of the bulk error that they have to give.
function broken(operations, options) {
  try {
    return { 'no error, but': counts(c.bulkWrite(operations, options)) };
  } catch (error) {
    const errors = [];
    for (const e of error.writeErrors ?? []) {
      errors.push([e.index ?? e.err?.index, e.code ?? e.err?.code]);
    }
    return { code: error.code, counts: counts(error.result), errors };
  }
}

const mixed = [];
for (let i = 0; i < 30; i++) {
  mixed.push({ insertOne: { document: { _id: i, place: places[i % 3], n: i } } });
}
mixed.push({ updateOne: { filter: { place: 'east', n: 0 }, update: { $set: { x: 1 } } } });
mixed.push({ updateMany: { filter: { n: { $lt: 10 } }, update: { $set: { y: 1 } } } });
mixed.push({ replaceOne: { filter: { place: 'north', n: 1 }, replacement: { place: 'north', n: 1, z: 1 } } });
mixed.push({ updateOne: { filter: { place: 'west', n: 300 }, update: { $set: { u: 1 } }, upsert: true } });
mixed.push({ deleteOne: { filter: { place: 'west', n: 2 } } });
mixed.push({ deleteMany: { filter: { n: { $gte: 20, $lt: 30 } } } });

check('ordered, all kinds', { inserted: 30, matched: 12, modified: 12, deleted: 11, upserted: 1 }, () => counts(c.bulkWrite(mixed)));
check('ordered: what is left', 20, () => c.countDocuments());
check('an upsert in it has its index', ['33'], () => {
  c.deleteMany({});
  return Object.keys(c.bulkWrite(mixed).upsertedIds);
});
check('unordered, all inserts', { inserted: 30, matched: 0, modified: 0, deleted: 0, upserted: 0 }, () => {
  c.deleteMany({});
  return counts(c.bulkWrite(mixed.slice(0, 30), { ordered: false }));
});

const twice = [];
for (const id of [40, 41, 3, 42, 4, 43]) {
  twice.push({ insertOne: { document: { _id: id, place: places[id % 3], n: id } } });
}
const none = { matched: 0, modified: 0, deleted: 0, upserted: 0 };
check('ordered stops at the first error', { code: 11000, counts: { inserted: 2, ...none }, errors: [[2, 11000]] }, () => broken(twice, { ordered: true }));
check('ordered: nothing after the error is written', [40, 41], () => c.find({ n: { $gte: 40 } }).sort({ n: 1 }).map((d) => d.n).toArray());
check('unordered goes on after errors', { code: 11000, counts: { inserted: 4, ...none }, errors: [[2, 11000], [4, 11000]] }, () => {
  c.deleteMany({ n: { $gte: 40 } });
  return broken(twice, { ordered: false });
});
check('unordered: all others are written', [40, 41, 42, 43], () => c.find({ n: { $gte: 40 } }).sort({ n: 1 }).map((d) => d.n).toArray());
check('an impossible update in the middle of an ordered batch', { code: 2, counts: { inserted: 1, ...none, matched: 1, modified: 1 }, errors: [[2, 2]] }, () => broken([
  { insertOne: { document: { _id: 50, place: 'west', n: 50, s: 'text' } } },
  { updateOne: { filter: { place: 'west', n: 50 }, update: { $set: { t: 1 } } } },
  { updateOne: { filter: { place: 'west', n: 50 }, update: { $push: { s: 1 } } } },
  { insertOne: { document: { _id: 51, place: 'east', n: 51 } } },
], { ordered: true }));
check('insertMany reports a duplicate', { code: 11000, labels: [] }, () => failing(() => c.insertMany([{ _id: 60, place: 'east', n: 60 }, { _id: 3, place: 'east', n: 3 }])));
check('a batch of 5,000 over all shards', 5000, () => {
  const operations = [];
  for (let i = 1000; i < 6000; i++) {
    operations.push({ insertOne: { document: { _id: i, place: places[i % 3], n: i } } });
  }
  return c.bulkWrite(operations, { ordered: false }).insertedCount;
});
check('1,000 updates in one ordered batch', [1000, 1000], () => {
  const operations = [];
  for (let i = 1000; i < 2000; i++) {
    operations.push({ updateOne: { filter: { place: places[i % 3], n: i }, update: { $inc: { seen: 1 } } } });
  }
  const result = c.bulkWrite(operations);
  return [result.modifiedCount, c.countDocuments({ seen: 1 })];
});
check('the Bulk API', { inserted: 1, matched: 1, modified: 1, deleted: 1, upserted: 0 }, () => {
  const bulk = c.initializeOrderedBulkOp();
  bulk.insert({ _id: 70, place: 'north', n: 70 });
  bulk.find({ place: 'north', n: 70 }).updateOne({ $set: { b: 1 } });
  bulk.find({ place: 'north', n: 70 }).deleteOne();
  return counts(bulk.execute());
});
done();
