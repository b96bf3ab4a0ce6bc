// Indexes of a collection that is spread over all shards, and what has the collections and databases in it.
const c = spread('indexed');
fill(c, 30);

function names(coll) {
  return coll.getIndexes().map((i) => i.name).sort();
}

check('the indexes at first', ['_id_', 'place_1_n_1'], () => names(c));
check('createIndex gives the name', 'tens_-1', () => c.createIndex({ tens: -1 }));
check('createIndex again is no error', 'tens_-1', () => c.createIndex({ tens: -1 }));
check('createIndexes', ['by text', 'sparse_1'], () => c.createIndexes([{ words: 1 }], { name: 'by text' }).concat(c.createIndexes([{ sparse: 1 }], { sparse: true })));
check('a partial index', 'partial', () => c.createIndex({ n: 1 }, { name: 'partial', partialFilterExpression: { n: { $gt: 10 } } }));
check('the indexes now', ['_id_', 'by text', 'partial', 'place_1_n_1', 'sparse_1', 'tens_-1'], () => names(c));
value('their definitions', () => c.getIndexes().sort((a, b) => (a.name < b.name ? -1 : 1)));
check('an index of the same name with another key', { code: 86, labels: [] }, () => failing(() => c.createIndex({ other: 1 }, { name: 'partial' })));
check('a bad index', { code: 67, labels: [] }, () => failing(() => c.createIndex({ x: 'unheard of' })));
check('a unique index that starts with the shard key', 'place_1_n_1_tens_1', () => c.createIndex({ place: 1, n: 1, tens: 1 }, { unique: true }));
check('it refuses a second one', { code: 11000, labels: [] }, () => failing(() => c.insertOne({ place: 'east', n: 0, tens: 0 })));
check('hint of an index', 10, () => c.find({ tens: 1 }).hint('tens_-1').toArray().length);
check('hint of an index that is not there', { code: 2, labels: [] }, () => failing(() => c.find({ tens: 1 }).hint('none').toArray()));
check('hideIndex', true, () => {
  c.hideIndex('tens_-1');
  return c.getIndexes().find((i) => i.name === 'tens_-1').hidden;
});
check('dropIndex', ['_id_', 'by text', 'partial', 'place_1_n_1', 'place_1_n_1_tens_1', 'sparse_1'], () => {
  c.dropIndex('tens_-1');
  return names(c);
});
check('dropIndex of none', { code: 27, labels: [] }, () => failing(() => c.dropIndex('none')));
check('an index that expires documents', 60, () => {
  c.createIndex({ when: 1 }, { expireAfterSeconds: 60 });
  return c.getIndexes().find((i) => i.name === 'when_1').expireAfterSeconds;
});
check('collMod changes it', 120, () => {
  db.runCommand({ collMod: 'indexed', index: { name: 'when_1', expireAfterSeconds: 120 } });
  return c.getIndexes().find((i) => i.name === 'when_1').expireAfterSeconds;
});
check('totalIndexSize', true, () => c.totalIndexSize() > 0);

check('createCollection with a validator', { code: 121, labels: [] }, () => {
  db.createCollection('strict', { validator: { $jsonSchema: { required: ['name'] } } });
  return failing(() => db.strict.insertOne({ x: 1 }));
});
check('createCollection again', { code: 48, labels: [] }, () => failing(() => db.createCollection('strict', { capped: true, size: 4096 })));
check('getCollectionNames', ['indexed', 'strict'], () => db.getCollectionNames().sort());
check('getCollectionInfos', 'collection', () => db.getCollectionInfos({ name: 'strict' })[0].type);
check('drop', [true, ['indexed']], () => [db.strict.drop(), db.getCollectionNames()]);
check('drop of none is no error', 'boolean', () => typeof db.getCollection('never there').drop());
check('the database is listed', true, () => db.adminCommand({ listDatabases: 1 }).databases.some((d) => d.name === db.getName()));
check('drop of a spread collection', [true, 0, []], () => [c.drop(), c.countDocuments(), db.getCollectionNames()]);
check('it can be made anew', 3, () => {
  const again = spread('indexed');
  fill(again, 3);
  return again.countDocuments();
});
check('dropDatabase', [1, 0], () => [db.dropDatabase().ok, db.getCollectionNames().length]);
done();
