// What fails has to fail with the code that programs branch on.
const c = spread('errors');
fill(c, 3);

check('a duplicate key', { code: 11000, labels: [] }, () => failing(() => c.insertOne({ _id: 0, place: 'east', n: 0 })));
check('an unknown command', { code: 59, labels: [] }, () => failing(() => db.runCommand({ unheardOf: 1 })));
check('an unknown operator', { code: 2, labels: [] }, () => failing(() => c.find({ n: { $unheardOf: 1 } }).toArray()));
check('an unknown update operator', { code: 9, labels: [] }, () => failing(() => c.updateOne({ place: 'east', n: 0 }, { $unheardOf: { a: 1 } })));
check('_id cannot change', { code: 66, labels: [] }, () => failing(() => c.updateOne({ place: 'east', n: 0 }, { $set: { _id: 9 } })));
check('an unknown write concern', { code: 79, labels: [] }, () => failing(() => c.insertOne({ place: 'east', n: 10 }, { writeConcern: { w: 'unheardOf' } })));
check('an unknown read concern', { code: 9, labels: [] }, () => failing(() => db.runCommand({ find: 'errors', readConcern: { level: 'unheardOf' } })));
check('a sort of the wrong type', { code: 14, labels: [] }, () => failing(() => db.runCommand({ find: 'errors', sort: 1 })));
check('an unknown field of a command', { code: 40415, labels: [] }, () => failing(() => db.runCommand({ find: 'errors', unheardOf: 1 })));
check('a bad namespace', { code: 73, labels: [] }, () => failing(() => db.runCommand({ find: '' })));
check('a command for admin alone', { code: 13, labels: [] }, () => failing(() => db.runCommand({ listDatabases: 1 })));
// Where the JavaScript engine is the first to notice, on a busy machine, the server says 11601 (Interrupted).
check('time runs out', true,
  () => [50, 11601].includes(failing(() => c.find({ $expr: { $function: { body: 'function() { sleep(300); return true; }', args: [], lang: 'js' } } }).maxTimeMS(100).toArray()).code));
check('a write without an answer', { acknowledged: false, came: true }, () => {
  const result = c.insertOne({ _id: 'silent', place: 'west', n: 700 }, { writeConcern: { w: 0 } });
  let came = false;
  for (let i = 0; i < 200 && !came; i++) {
    came = c.countDocuments({ _id: 'silent' }) === 1;
    sleep(came ? 0 : 25);
  }
  return { acknowledged: result.acknowledged, came };
});
check('a document that is too large', true, () => {
  const got = failing(() => c.insertOne({ place: 'east', n: 800, big: 'x'.repeat(16 * 1024 * 1024) }));
  return got.code === 10334 || got.code === 2 || got.error !== undefined; // the driver refuses it, or the server does
});
check('an insert whose write concern failed is there', 1, () => c.countDocuments({ n: 10 }));
check('after all of that the connection is good', [0, 1, 2], () => c.find({ n: { $lt: 3 } }).sort({ n: 1 }).map((d) => d.n).toArray());
done();
