// Aggregation over all shards, distinct and counts.
const c = spread('orders');
const people = db.getCollection('people'); // not sharded
fill(c, 300);
people.insertMany([{ _id: 'east', name: 'Eve' }, { _id: 'north', name: 'Nora' }, { _id: 'west', name: 'Wim' }]);

check('$match and $group', [{ _id: 'east', count: 100, sum: 14850 }, { _id: 'north', count: 100, sum: 14950 }, { _id: 'west', count: 100, sum: 15050 }],
  () => c.aggregate([{ $group: { _id: '$place', count: { $sum: 1 }, sum: { $sum: '$n' } } }, { $sort: { _id: 1 } }]).toArray());
check('$group with $avg, $min, $max, $push', [{ _id: null, avg: 149.5, min: 0, max: 299, size: 300 }], () => c.aggregate([
  { $group: { _id: null, avg: { $avg: '$n' }, min: { $min: '$n' }, max: { $max: '$n' }, all: { $push: '$n' } } },
  { $project: { avg: 1, min: 1, max: 1, size: { $size: '$all' } } },
]).toArray());
check('$sort and $limit over shards', [299, 298, 297], () => c.aggregate([{ $sort: { n: -1 } }, { $limit: 3 }]).map((d) => d.n).toArray());
check('$skip and $limit', [10, 11], () => c.aggregate([{ $sort: { n: 1 } }, { $skip: 10 }, { $limit: 2 }]).map((d) => d.n).toArray());
check('$unwind and $sortByCount', [{ _id: 'x', count: 300 }, { _id: 'y', count: 300 }], () => c.aggregate([
  { $set: { letters: ['x', 'y'] } }, { $unwind: '$letters' }, { $sortByCount: '$letters' }, { $sort: { _id: 1 } },
]).toArray());
check('$facet', [{ few: [{ _id: 0 }, { _id: 1 }], count: [{ n: 300 }] }],
  () => c.aggregate([{ $facet: { few: [{ $sort: { _id: 1 } }, { $limit: 2 }, { $project: { _id: 1 } }], count: [{ $count: 'n' }] } }]).toArray());
check('$bucket', [{ _id: 0, count: 100 }, { _id: 100, count: 200 }],
  () => c.aggregate([{ $bucket: { groupBy: '$n', boundaries: [0, 100, 300] } }]).toArray());
check('$lookup from a collection that is not sharded', ['Eve', 'Nora', 'Wim'], () => c.aggregate([
  { $match: { n: { $lt: 3 } } }, { $lookup: { from: 'people', localField: 'place', foreignField: '_id', as: 'who' } }, { $sort: { n: 1 } },
]).map((d) => d.who[0].name).toArray());
check('$lookup from a sharded collection', [['east', 100], ['north', 100], ['west', 100]], () => people.aggregate([
  { $lookup: { from: 'orders', localField: '_id', foreignField: 'place', as: 'orders' } }, { $sort: { _id: 1 } },
]).map((d) => [d._id, d.orders.length]).toArray());
check('$lookup with a pipeline', [['east', 297], ['north', 298], ['west', 299]], () => people.aggregate([
  { $lookup: { from: 'orders', let: { p: '$_id' }, pipeline: [{ $match: { $expr: { $eq: ['$place', '$$p'] } } }, { $sort: { n: -1 } }, { $limit: 1 }], as: 'last' } },
  { $sort: { _id: 1 } },
]).map((d) => [d._id, d.last[0].n]).toArray());
check('$graphLookup', 1, () => people.aggregate([
  { $match: { _id: 'east' } }, { $graphLookup: { from: 'orders', startWith: 7, connectFromField: 'none', connectToField: 'n', as: 'found' } },
]).toArray()[0].found.length);
check('$unionWith', 303, () => c.aggregate([{ $unionWith: 'people' }, { $count: 'n' }]).toArray()[0].n);
check('$setWindowFields', [[0, 0], [1, 1], [2, 3], [3, 6]], () => c.aggregate([
  { $setWindowFields: { sortBy: { n: 1 }, output: { running: { $sum: '$n', window: { documents: ['unbounded', 'current'] } } } } }, { $sort: { n: 1 } }, { $limit: 4 },
]).map((d) => [d.n, d.running]).toArray());
check('$out', 10, () => {
  c.aggregate([{ $match: { tens: 5 } }, { $out: 'copied' }]);
  return db.copied.countDocuments();
});
check('$merge', 20, () => {
  c.aggregate([{ $match: { tens: { $in: [5, 6] } } }, { $merge: { into: 'copied', whenMatched: 'replace', whenNotMatched: 'insert' } }]);
  return db.copied.countDocuments();
});
check('$count of nothing', [], () => c.aggregate([{ $match: { n: -1 } }, { $count: 'n' }]).toArray());
check('$sample', 5, () => c.aggregate([{ $sample: { size: 5 } }]).toArray().length);
check('$documents', [{ a: 1 }, { a: 2 }], () => db.aggregate([{ $documents: [{ a: 1 }, { a: 2 }] }]).toArray());
check('distinct of a shard key field', places, () => c.distinct('place').sort());
check('distinct with a filter', [0, 1, 2], () => c.distinct('tens', { n: { $lt: 30 } }).sort());
check('count command', 100, () => db.runCommand({ count: 'orders', query: { place: 'west' } }).n);
check('count command with skip and limit', 5, () => db.runCommand({ count: 'orders', query: {}, skip: 10, limit: 5 }).n);
check('an unknown stage fails', { code: 40324, labels: [] }, () => failing(() => c.aggregate([{ $unheardOf: 1 }]).toArray()));
check('a division by zero fails', { code: 2, labels: [] }, () => failing(() => c.aggregate([{ $project: { x: { $divide: ['$n', 0] } } }]).toArray()));
value('a whole group by tens', () => c.aggregate([{ $group: { _id: '$tens', places: { $addToSet: '$place' }, sum: { $sum: '$n' } } },
  { $set: { places: { $sortArray: { input: '$places', sortBy: 1 } } } }, { $sort: { _id: 1 } }]).toArray());
done();
