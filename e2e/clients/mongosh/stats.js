// db.stats(), coll.stats() and the server's statements about itself.
const c = spread('measured');
fill(c, 300);
db.plain.insertMany([{ _id: 1 }, { _id: 2 }]);

check('db.stats() counts the documents', 302, () => db.stats().objects);
check('db.stats() names the database', db.getName(), () => db.stats().db);
check('db.stats() has sizes', true, () => { const s = db.stats(); return s.dataSize > 0 && s.storageSize > 0 && s.indexes >= 3; });
check('coll.stats() counts the documents', 300, () => c.stats().count);
check('coll.stats() says whether it is sharded', sharded, () => c.stats().sharded === true);
check('coll.stats() knows the indexes', ['_id_', 'place_1_n_1'], () => Object.keys(c.stats().indexSizes).sort());
check('coll.dataSize()', true, () => c.dataSize() > 0);
check('coll.storageSize()', true, () => c.storageSize() > 0);
check('coll.totalSize()', true, () => c.totalSize() > 0);
check('stats of a collection that is not sharded', [2, false], () => { const s = db.plain.stats(); return [s.count, s.sharded === true]; });
check('$collStats', 300, () => {
  let count = 0;
  for (const part of c.aggregate([{ $collStats: { count: {} } }]).toArray()) {
    count += Number(part.count);
  }
  return count;
});
check('$indexStats', true, () => c.aggregate([{ $indexStats: {} }]).toArray().length >= 2);
check('dbStats as a command', 1, () => db.runCommand({ dbStats: 1, scale: 1024 }).ok);
check('collStats as a command', [1, 300], () => { const s = db.runCommand({ collStats: 'measured' }); return [s.ok, s.count]; });
check('db.version()', true, () => /^\d+\.\d+\.\d+/.test(db.version()));
check('serverStatus', true, () => { const s = db.serverStatus(); return s.ok === 1 && s.uptime >= 0 && s.connections.current >= 1; });
check('hostInfo', 1, () => db.hostInfo().ok);
check('connectionStatus', 1, () => db.runCommand({ connectionStatus: 1 }).ok);
check('ping', 1, () => db.adminCommand({ ping: 1 }).ok);
check('buildInfo', 1, () => db.adminCommand({ buildInfo: 1 }).ok);
check('getCmdLineOpts', 1, () => db.adminCommand({ getCmdLineOpts: 1 }).ok);
check('currentOp', 1, () => db.currentOp().ok);
check('listDatabases has sizes', true, () => db.adminCommand({ listDatabases: 1 }).totalSize > 0);
check('listDatabases with names alone', true, () => db.adminCommand({ listDatabases: 1, nameOnly: true }).databases.some((d) => d.name === db.getName()));
done();
