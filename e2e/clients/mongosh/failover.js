// Retryable writes while a primary is killed: each acknowledged write is there exactly once, and no error reaches the client.
//
// The script writes until the file CLIENTS_STOP is there. It says "# writing" when it has begun.
const fs = require('fs');
const c = spread('failover');
// An increment that failed may have been applied or not: no more of them than were tried, no fewer than were acknowledged.
const tried = [0, 0, 0];
const acknowledged = [0, 0, 0];
const inserted = [];
const errors = [];
let slowest = 0;
let begun = false;

for (let i = 0; i < places.length; i++) {
  c.insertOne({ _id: `counter ${i}`, place: places[i], n: -1, count: 0 });
}

for (let n = 0; !fs.existsSync(process.env.CLIENTS_STOP); n++) {
  const i = n % places.length;
  const started = Date.now();
  try {
    c.insertOne({ _id: n, place: places[i], n });
    inserted.push(n);
    tried[i]++;
    c.updateOne({ place: places[i], n: -1 }, { $inc: { count: 1 } });
    acknowledged[i]++;
    if (n % 7 === 0) {
      c.bulkWrite([{ insertOne: { document: { _id: `b${n}`, place: places[i], n } } }, { insertOne: { document: { _id: `c${n}`, place: places[(i + 1) % 3], n } } }]);
      inserted.push(`b${n}`, `c${n}`);
    }
    if (n % 5 === 0) {
      tried[i]++;
      c.findOneAndUpdate({ place: places[i], n: -1 }, { $inc: { count: 1 } });
      acknowledged[i]++;
    }
  } catch (error) {
    errors.push(complaint(error));
  }
  slowest = Math.max(slowest, Date.now() - started);
  if (!begun && n >= 15) {
    begun = true;
    note('writing');
  }
}

note(`${inserted.length} inserts, ${acknowledged[0] + acknowledged[1] + acknowledged[2]} increments; the slowest round took ${slowest} ms`);
check('no error reached the client', [], () => errors.slice(0, 3));
check('each acknowledged insert is there once', { lost: 0, doubled: 0 }, () => {
  const times = new Map();
  for (const document of c.find({ n: { $gte: 0 } }, { _id: 1 }).toArray()) {
    times.set(document._id, (times.get(document._id) ?? 0) + 1);
  }
  let lost = 0;
  let doubled = 0;
  for (const id of inserted) {
    lost += times.has(id) ? 0 : 1;
  }
  for (const count of times.values()) {
    doubled += count > 1 ? 1 : 0;
  }
  return { lost, doubled };
});
check('each acknowledged increment is counted once', [], () => {
  const wrong = [];
  for (let i = 0; i < places.length; i++) {
    const { count } = c.findOne({ place: places[i], n: -1 });
    if (count < acknowledged[i] || count > tried[i]) {
      wrong.push({ place: places[i], count, acknowledged: acknowledged[i], tried: tried[i] });
    }
  }
  return wrong;
});
check('every place was written to', true, () => acknowledged.every((n) => n > 0));
done();
