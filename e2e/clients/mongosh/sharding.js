// The sh helpers, and what they show: zones, ranges, chunks, the balancer.
const config = db.getSiblingDB('config');
const shards = shardNames();
const ns = `${db.getName()}.carts`;
const low = MinKey();

function range(place) {
  return [{ place, n: low }, { place: `${place}\u0000`, n: low }];
}

check('listShards names at least three', true, () => shards.length >= 3);
check('enableSharding', 1, () => sh.enableSharding(db.getName()).ok);
check('enableSharding again', 1, () => sh.enableSharding(db.getName()).ok);
check('a range of a zone that is nowhere', { code: 177, labels: [] }, () => failing(() => sh.updateZoneKeyRange(ns, ...range('east'), 'nowhere')));
check('a zone on a shard that is nowhere', { code: 70, labels: [] }, () => failing(() => sh.addShardToZone('nowhere', 'east')));
for (let i = 0; i < places.length; i++) {
  check(`addShardToZone ${places[i]}`, 1, () => sh.addShardToZone(shards[i], places[i]).ok);
  check(`updateZoneKeyRange ${places[i]}`, 1, () => sh.updateZoneKeyRange(ns, ...range(places[i]), places[i]).ok);
}
check('the same range again', 1, () => sh.updateZoneKeyRange(ns, ...range('east'), 'east').ok);
check('a range that overlaps', { code: 178, labels: [] },
  () => failing(() => sh.updateZoneKeyRange(ns, { place: 'east', n: 5 }, { place: 'east', n: 9 }, 'west')));
check('shardCollection', { collectionsharded: ns, ok: 1 }, () => { const r = sh.shardCollection(ns, { place: 1, n: 1 }); return { collectionsharded: r.collectionsharded, ok: r.ok }; });
check('shardCollection again with the same key', 1, () => sh.shardCollection(ns, { place: 1, n: 1 }).ok);
check('shardCollection again with another key', 'an error', () => (typeof failing(() => sh.shardCollection(ns, { other: 1 })).code === 'number' ? 'an error' : 'none'));
check('the shard key has an index', true, () => db.carts.getIndexes().some((i) => i.name === 'place_1_n_1'));

fill(db.carts, 300);
// A document lives on the shard of its zone: a shard holds a hundred, and explain says which.
check('each place has its shard', shards.slice(0, 3), () => {
  const owners = [];
  for (const place of places) {
    owners.push(db.carts.find({ place }).explain().queryPlanner.winningPlan.shards[0].shardName);
  }
  return owners;
});

const status = sh.status().value;
const seen = status.databases.find((d) => d.database._id === db.getName());
const carts = seen?.collections[ns];
check('sh.status() lists the shards', shards, () => status.shards.map((s) => s._id).sort());
check('sh.status() shows the zones of the shards', places, () => places.filter((p, i) => status.shards.find((s) => s._id === shards[i]).tags.includes(p)));
check('sh.status() shows that the shards are up', true, () => status.shards.every((s) => s.state === 1 && s.host.startsWith(`${s._id}/`)));
check('sh.status() shows the database\'s primary shard', true, () => shards.includes(seen.database.primary));
check('sh.status() shows the shard key', { place: 1, n: 1 }, () => carts.shardKey);
check('sh.status() shows the ranges', places.map((tag) => ({ tag, min: range(tag)[0], max: range(tag)[1] })), () => carts.tags);
check('sh.status() shows a chunk for each zone, on its shard', shards.slice(0, 3),
  () => places.map((p) => carts.chunks.find((k) => k.min.place === p && show(k.min) === show(range(p)[0]))?.['on shard']));
check('sh.status() counts the chunks', true, () => {
  let sum = 0;
  for (const part of carts.chunkMetadata) {
    sum += part.nChunks;
  }
  return sum === carts.chunks.length && sum >= 3;
});
check('sh.status() speaks of the balancer', true, () => ['yes', 'no'].includes(status.balancer['Currently enabled']) && ['yes', 'no'].includes(status.balancer['Currently running']));
check('sh.status() knows the distribution', 300, () => {
  let sum = 0;
  for (const part of status.shardedDataDistribution.find((d) => d.ns === ns).shards) {
    sum += Number(part.numOwnedDocuments);
  }
  return sum;
});
check('db.printShardingStatus()', true, () => db.printShardingStatus().value.shards.length === shards.length);

check('getShardDistribution', { docs: [100, 100, 100], total: 300 }, () => {
  const d = db.carts.getShardDistribution().value;
  const docs = [];
  for (const shard of shards.slice(0, 3)) {
    docs.push(d[Object.keys(d).find((k) => k.startsWith(`Shard ${shard} at `))].docs);
  }
  return { docs, total: d.Totals.docs };
});
check('coll.stats() has every shard', [true, shards.slice(0, 3), [100, 100, 100]], () => {
  const s = db.carts.stats();
  const names = Object.keys(s.shards).sort();
  return [s.sharded, names, names.map((n) => s.shards[n].count)];
});
check('db.stats() has every shard in raw', shards.length, () => Object.keys(db.stats().raw).length);

check('getBalancerState', true, () => sh.getBalancerState());
check('stopBalancer', [1, false, 'off'], () => [sh.stopBalancer().ok, sh.getBalancerState(), db.adminCommand({ balancerStatus: 1 }).mode]);
check('startBalancer', [1, true, 'full'], () => [sh.startBalancer().ok, sh.getBalancerState(), db.adminCommand({ balancerStatus: 1 }).mode]);
check('isBalancerRunning', true, () => typeof sh.isBalancerRunning().inBalancerRound === 'boolean');
check('balancerCollectionStatus', true, () => sh.balancerCollectionStatus(ns).balancerCompliant);
check('disableBalancing', true, () => { sh.disableBalancing(ns); return config.collections.findOne({ _id: ns }).noBalance; });
check('enableBalancing', false, () => { sh.enableBalancing(ns); return config.collections.findOne({ _id: ns }).noBalance; });

check('removeRangeFromZone', 0, () => { sh.removeRangeFromZone(ns, ...range('west')); return config.tags.countDocuments({ ns, tag: 'west' }); });
check('the range comes back', 1, () => { sh.updateZoneKeyRange(ns, ...range('west'), 'west'); return config.tags.countDocuments({ ns, tag: 'west' }); });
check('a zone in use stays on its last shard', { code: 163, labels: [] }, () => failing(() => sh.removeShardFromZone(shards[0], 'east')));
check('removeShardFromZone', [true, false], () => {
  sh.addShardToZone(shards[0], 'spare');
  const before = config.shards.findOne({ _id: shards[0] }).tags.includes('spare');
  sh.removeShardFromZone(shards[0], 'spare');
  return [before, config.shards.findOne({ _id: shards[0] }).tags.includes('spare')];
});

const moved = db.getCollection('moved');
const movedNs = `${db.getName()}.moved`;
// owner is the shard of the only chunk of a collection without zones.
function owner() {
  return config.chunks.findOne({ uuid: config.collections.findOne({ _id: movedNs }).uuid }).shard;
}
check('moveChunk moves every document', { from: true, to: true, count: 50, sum: 1225 }, () => {
  sh.shardCollection(movedNs, { n: 1 });
  const documents = [];
  for (let n = 0; n < 50; n++) {
    documents.push({ _id: n, n });
  }
  moved.insertMany(documents);
  const from = owner();
  const to = shards.find((s) => s !== from);
  sh.moveChunk(movedNs, { n: 1 }, to);
  const sum = moved.aggregate([{ $group: { _id: null, sum: { $sum: '$n' } } }]).toArray()[0].sum;
  return { from: from !== to, to: owner() === to, count: moved.countDocuments(), sum };
});
check('writes find the moved chunk', [1, 1], () => [moved.updateOne({ n: 7 }, { $set: { x: 1 } }).modifiedCount, moved.countDocuments({ x: 1 })]);
check('moveRange', true, () => {
  const to = shards.find((s) => s !== owner());
  sh.moveRange(movedNs, to, { n: MinKey() });
  return owner() === to && moved.countDocuments() === 50;
});
check('a dropped collection is gone from the catalogue', [true, 0, 0], () => [db.carts.drop(), config.collections.countDocuments({ _id: ns }), config.tags.countDocuments({ ns })]);
check('a dropped database too', [1, 0], () => [db.dropDatabase().ok, config.databases.countDocuments({ _id: db.getName() })]);
done();
