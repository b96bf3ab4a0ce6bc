// Create, read, update, delete on a collection that is spread over all shards.
const c = spread('crud');

check('insertOne acknowledges', { acknowledged: true, insertedId: 100 }, () => c.insertOne({ _id: 100, place: 'east', n: 100 }));
check('insertOne makes an _id', true, () => c.insertOne({ place: 'west', n: 101 }).insertedId instanceof ObjectId);
check('insertMany counts', 30, () => {
  const documents = [];
  for (let i = 0; i < 30; i++) {
    documents.push({ _id: i, place: places[i % 3], n: i, tags: ['a', `t${i % 4}`], inner: { x: i % 5 } });
  }
  return Object.keys(c.insertMany(documents).insertedIds).length;
});
check('countDocuments', 32, () => c.countDocuments());
check('countDocuments with a filter', 10, () => c.countDocuments({ place: 'north' }));
check('estimatedDocumentCount', 32, () => c.estimatedDocumentCount());

check('findOne by shard key', { _id: 4, place: 'north', n: 4, tags: ['a', 't0'], inner: { x: 4 } }, () => c.findOne({ place: 'north', n: 4 }));
check('findOne by _id alone', 'west', () => c.findOne({ _id: 5 }).place);
check('findOne that matches nothing', null, () => c.findOne({ _id: 'none' }));
check('find sorted over all shards', [29, 28, 27, 26, 25], () => c.find({ n: { $lt: 50 } }).sort({ n: -1 }).limit(5).map((d) => d.n).toArray());
check('find with skip', [3, 4, 5], () => c.find({ n: { $lt: 50 } }).sort({ n: 1 }).skip(3).limit(3).map((d) => d.n).toArray());
check('find with a projection', { n: 7, inner: { x: 2 } }, () => c.findOne({ place: 'north', n: 7 }, { _id: 0, n: 1, 'inner.x': 1 }));
check('find in an array', 8, () => c.countDocuments({ tags: 't0' }));
check('find with $or', [2, 3], () => c.find({ $or: [{ n: 3 }, { n: 2 }] }).sort({ n: 1 }).map((d) => d.n).toArray());
check('find with $in over shards', [0, 1, 2], () => c.find({ place: { $in: places }, n: { $lt: 3 } }).sort({ n: 1 }).map((d) => d.n).toArray());
check('find with a regular expression', 20, () => c.countDocuments({ place: /^(north|west)$/, n: { $lt: 50 } }));
check('find with collation', 10, () => c.find({ place: 'NORTH' }).collation({ locale: 'en', strength: 2 }).toArray().length);
check('find with min and hint', 10, () => c.find({ place: 'east', n: { $lt: 50 } }).hint({ place: 1, n: 1 }).toArray().length);
value('find with a natural order in one place', () => c.find({ place: 'east', n: { $lt: 12 } }).sort({ n: 1 }).toArray());

check('updateOne with $set', { acknowledged: true, insertedId: null, matchedCount: 1, modifiedCount: 1, upsertedCount: 0 },
  () => c.updateOne({ place: 'east', n: 0 }, { $set: { seen: 1 } }));
check('updateOne that changes nothing', [1, 0], () => {
  const result = c.updateOne({ place: 'east', n: 0 }, { $set: { seen: 1 } });
  return [result.matchedCount, result.modifiedCount];
});
check('updateOne by _id alone', [1, 1], () => {
  const result = c.updateOne({ _id: 11 }, { $inc: { seen: 2 } });
  return [result.matchedCount, result.modifiedCount];
});
check('updateMany over all shards', [30, 30], () => {
  const result = c.updateMany({ n: { $lt: 50 } }, { $set: { many: true } });
  return [result.matchedCount, result.modifiedCount];
});
check('updateMany with a pipeline', 15, () => {
  c.updateMany({ n: { $lt: 50 } }, [{ $set: { even: { $eq: [{ $mod: ['$n', 2] }, 0] } } }]);
  return c.countDocuments({ even: true });
});
check('updateOne with arrayFilters', ['b', 't1'], () => {
  c.updateOne({ place: 'west', n: 5 }, { $set: { 'tags.$[t]': 'b' } }, { arrayFilters: [{ t: 'a' }] });
  return c.findOne({ place: 'west', n: 5 }).tags;
});
check('upsert inserts', { upserted: 'up', count: 1 }, () => {
  const result = c.updateOne({ place: 'north', n: 500 }, { $setOnInsert: { _id: 'up' } }, { upsert: true });
  return { upserted: result.insertedId, count: result.upsertedCount };
});
check('replaceOne', { _id: 6, place: 'east', n: 6, fresh: true }, () => {
  c.replaceOne({ place: 'east', n: 6 }, { place: 'east', n: 6, fresh: true });
  return c.findOne({ _id: 6 });
});
check('findOneAndUpdate gives the old document', 0, () => c.findOneAndUpdate({ place: 'west', n: 8 }, { $set: { 'inner.x': 0 } }).inner.x - 3);
check('findOneAndUpdate gives the new document', 77,
  () => c.findOneAndUpdate({ place: 'west', n: 8 }, { $set: { 'inner.x': 77 } }, { returnDocument: 'after' }).inner.x);
check('findOneAndReplace', 14, () => c.findOneAndReplace({ place: 'west', n: 14 }, { place: 'west', n: 14, fresh: true })._id);
check('findOneAndDelete', 20, () => c.findOneAndDelete({ place: 'west', n: 20 })._id);
check('findOneAndDelete that matches nothing', null, () => c.findOneAndDelete({ place: 'west', n: 20 }));
check('deleteOne', { acknowledged: true, deletedCount: 1 }, () => c.deleteOne({ place: 'east', n: 0 }));
check('deleteOne by _id alone', { acknowledged: true, deletedCount: 1 }, () => c.deleteOne({ _id: 'up' }));
check('deleteMany over all shards', { acknowledged: true, deletedCount: 10 }, () => c.deleteMany({ n: { $gte: 10, $lt: 21 } }));
check('what is left', [1, 2, 3, 4, 5, 6, 7, 8, 9, 21, 22, 23, 24, 25, 26, 27, 28, 29, 100, 101],
  () => c.find().sort({ n: 1 }).map((d) => d.n).toArray());

check('an unsharded collection beside it', 3, () => {
  db.plain.insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3 }]);
  return db.plain.countDocuments();
});
check('every type comes back as it went', true, () => {
  const document = {
    _id: 'types', place: 'north', n: 900, double: 1.5, string: 'grüße', object: { a: [] }, array: [1, [2]], binary: BinData(0, 'AQID'),
    id: ObjectId('0123456789abcdef01234567'), yes: true, date: ISODate('2024-02-29T12:00:00.001Z'), nothing: null, regex: /a+/i, int: Int32(7),
    timestamp: Timestamp({ t: 5, i: 6 }), long: Long('9007199254740993'), decimal: Decimal128('1.10'), min: MinKey(), max: MaxKey(), uuid: UUID('00112233-4455-6677-8899-aabbccddeeff'),
  };
  c.insertOne(document);
  return EJSON.stringify(c.findOne({ _id: 'types' }), { relaxed: false }) === EJSON.stringify(document, { relaxed: false });
});
done();
