// What only a sharded collection refuses: statements that name no single shard.
const c = spread('targeted');
fill(c, 30);

check('updateOne without shard key and _id', { code: 72, labels: [] }, () => failing(() => c.updateOne({ tens: 1 }, { $set: { x: 1 } })));
check('deleteOne without shard key and _id', { code: 61, labels: [] }, () => failing(() => c.deleteOne({ tens: 1 })));
check('findOneAndUpdate without the shard key', { code: 61, labels: [] }, () => failing(() => c.findOneAndUpdate({ tens: 1 }, { $set: { x: 1 } })));
check('an upsert without the whole shard key', { code: 61, labels: [] }, () => failing(() => c.updateOne({ place: 'east' }, { $set: { x: 1 } }, { upsert: true })));
check('none of them changed anything', [30, 0], () => [c.countDocuments(), c.countDocuments({ x: 1 })]);
check('a unique index that is not on the shard key', { code: 67, labels: [] }, () => failing(() => c.createIndex({ tens: 1 }, { unique: true })));
check('the index of the shard key stays', true, () => typeof failing(() => c.dropIndex('place_1_n_1')).code === 'number' && c.getIndexes().length === 2);
check('a document without the shard key', 1, () => { c.insertOne({ _id: 'bare' }); return c.countDocuments({ _id: 'bare', place: null }); });
check('updateMany without the shard key', 10, () => c.updateMany({ tens: 1 }, { $set: { x: 1 } }).modifiedCount);
check('a multi-update of the shard key', true, () => typeof failing(() => c.updateMany({ tens: 1 }, { $set: { place: 'east' } })).code === 'number');
check('_id is unique on one shard alone', { code: 11000, labels: [] }, () => failing(() => c.insertOne({ _id: 0, place: 'east', n: 999 })));
done();
