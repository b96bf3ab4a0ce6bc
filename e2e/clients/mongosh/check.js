// The vocabulary of the scripts; mongosh loads it before each of them.
//
// CLIENTS_TOPOLOGY says what the script runs against: "sharded" (a query router) or "replicaset".
// The script's database is `db`; it is empty when the script starts.

const sharded = process.env.CLIENTS_TOPOLOGY === 'sharded';

// The values of the first shard key field of every spread collection. Each place is a zone of its own shard.
const places = ['east', 'north', 'west'];

let checks = 0;

// Numbers compare by value: Long(1), Int32(1) and 1 print alike.
function show(value) {
  return value === undefined ? 'undefined' : EJSON.stringify(value);
}

function complaint(error) {
  return `${error.name} ${error.code ?? ''}: ${String(error.message).replace(/\s+/g, ' ')}`;
}

// check runs body and compares what it returns with want.
function check(name, want, body) {
  checks++;
  let got;
  try {
    got = body();
  } catch (error) {
    print(`not ok ${name}: got ${complaint(error)}, want ${show(want)}`);
    return;
  }
  if (show(got) === show(want)) {
    print(`ok ${name}`);
  } else {
    print(`not ok ${name}: got ${show(got)}, want ${show(want)}`);
  }
}

// value prints what body returns or how it fails, to be compared with the same line of another run.
function value(name, body) {
  let got;
  try {
    got = body();
  } catch (error) {
    got = failure(error);
  }
  print(`= ${name}: ${show(got)}`);
}

const labels = ['RetryableWriteError', 'TransientTransactionError', 'UnknownTransactionCommitResult', 'ResumableChangeStreamError'];

// failure is what programs branch on: the code, its name and the labels.
function failure(error) {
  if (typeof error.hasErrorLabel !== 'function') {
    return { error: error.name };
  }
  const has = [];
  for (const label of labels) {
    if (error.hasErrorLabel(label)) {
      has.push(label);
    }
  }
  return { code: error.code, labels: has };
}

// failing returns how body fails.
function failing(body) {
  let got;
  try {
    got = body();
  } catch (error) {
    return failure(error);
  }
  return { 'no error, but': got };
}

function note(text) {
  print(`# ${text}`);
}

function done() {
  print(`done ${checks}`);
}

function shardNames() {
  const names = [];
  for (const shard of db.adminCommand({ listShards: 1 }).shards) {
    names.push(shard._id);
  }
  return names.sort();
}

// spread returns an empty collection with an index on {place: 1, n: 1}. Where there are shards, that is its shard key, and each place lives on a shard of its own.
function spread(name) {
  const coll = db.getCollection(name);
  if (!sharded) {
    coll.createIndex({ place: 1, n: 1 });
    return coll;
  }
  const ns = `${db.getName()}.${name}`;
  const shards = shardNames();
  sh.enableSharding(db.getName());
  for (let i = 0; i < places.length; i++) {
    sh.addShardToZone(shards[i % shards.length], places[i]);
    sh.updateZoneKeyRange(ns, { place: places[i], n: MinKey() }, { place: `${places[i]}\u0000`, n: MinKey() }, places[i]);
  }
  sh.shardCollection(ns, { place: 1, n: 1 });
  return coll;
}

// fill puts count documents into a spread collection, in turn for each place, with _id and n from 0.
function fill(coll, count) {
  let batch = [];
  for (let i = 0; i < count; i++) {
    batch.push({ _id: i, place: places[i % places.length], n: i, tens: Math.floor(i / 10) });
    if (batch.length === 10000 || i === count - 1) {
      coll.insertMany(batch, { ordered: false }); // in order, every change of place would be a round trip
      batch = [];
    }
  }
}
