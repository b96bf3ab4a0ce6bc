// explain names the shards that a statement touches.
const c = spread('explained');
fill(c, 300);
const shards = shardNames();

// touched returns the names of the shards in a plan, sorted.
function touched(plan) {
  if (plan.shards) {
    return Object.keys(plan.shards).sort(); // an aggregation over shards
  }
  return plan.queryPlanner.winningPlan.shards.map((s) => s.shardName).sort();
}

for (let i = 0; i < places.length; i++) {
  check(`find in ${places[i]} touches one shard`, [shards[i]], () => touched(c.find({ place: places[i] }).explain()));
}
check('find with the whole shard key', ['SINGLE_SHARD', [shards[1]]], () => { const p = c.find({ place: 'north', n: 4 }).explain(); return [p.queryPlanner.winningPlan.stage, touched(p)]; });
check('find in two places', [shards[0], shards[2]], () => touched(c.find({ place: { $in: ['east', 'west'] } }).explain()));
check('find everywhere', ['SHARD_MERGE', shards.slice(0, 3)], () => { const p = c.find({ tens: 1 }).explain(); return [p.queryPlanner.winningPlan.stage, touched(p)]; });
check('find everywhere, sorted', ['SHARD_MERGE_SORT', shards.slice(0, 3)], () => { const p = c.find({}).sort({ n: 1 }).explain(); return [p.queryPlanner.winningPlan.stage, touched(p)]; });
check('the shard\'s own plan is in it', true, () => {
  const own = c.find({ place: 'east', n: 3 }).explain().queryPlanner.winningPlan.shards[0];
  return own.connectionString.startsWith(`${shards[0]}/`) && JSON.stringify(own.winningPlan).includes('IXSCAN');
});
check('executionStats', [100, [shards[2]]], () => { const p = c.find({ place: 'west' }).explain('executionStats'); return [p.executionStats.nReturned, touched(p)]; });
check('an aggregation in one place', [shards[0]], () => touched(c.explain().aggregate([{ $match: { place: 'east' } }, { $group: { _id: '$tens', n: { $sum: 1 } } }])));
check('an aggregation everywhere', shards.slice(0, 3), () => touched(c.explain().aggregate([{ $group: { _id: '$tens', n: { $sum: 1 } } }])));
check('an update', [shards[1]], () => touched(c.explain().update({ place: 'north', n: 4 }, { $set: { x: 1 } })));
check('a delete', [shards[2]], () => touched(c.explain().remove({ place: 'west', n: 5 })));
check('a findAndModify', [shards[0]], () => touched(c.explain().findAndModify({ query: { place: 'east', n: 0 }, update: { $set: { x: 1 } } })));
check('a count', [shards[1]], () => touched(c.explain().count({ place: 'north' })));
check('a distinct', [shards[1]], () => touched(c.explain().distinct('n', { place: 'north' })));
check('nothing was written', [300, 0], () => [c.countDocuments(), c.countDocuments({ x: 1 })]);
done();
