// What the query router says about itself: clients must take it for one.
const hello = db.hello();
check('hello says that it is a query router', 'isdbgrid', () => hello.msg);
check('hello names no replica set', [false, false, false], () => ['setName' in hello, 'hosts' in hello, 'primary' in hello]);
check('hello takes writes', true, () => hello.isWritablePrimary);
check('sessions are supported', 30, () => hello.logicalSessionTimeoutMinutes);
check('retryable writes are possible', true, () => hello.maxWireVersion >= 17 && hello.minWireVersion === 0);
check('the limits are the server\'s', [16777216, 48000000, 100000], () => [hello.maxBsonObjectSize, hello.maxMessageSizeBytes, hello.maxWriteBatchSize]);
check('it gossips the cluster\'s time', true, () => hello.$clusterTime?.clusterTime instanceof Timestamp || db.adminCommand({ hello: 1 }).$clusterTime?.clusterTime instanceof Timestamp);
check('isMaster says the same', ['isdbgrid', true], () => { const m = db.isMaster(); return [m.msg, m.ismaster]; });
check('serverStatus calls it mongos', 'mongos', () => db.serverStatus().process.replace(/^.*\//, '').replace(/^devmongos$/, 'mongos'));
check('serverStatus has no repl section', false, () => 'repl' in db.serverStatus());
check('replSetGetStatus is refused', 'refused', () => {
  try {
    const got = db.adminCommand({ replSetGetStatus: 1 });
    return got;
  } catch (error) {
    return 'refused'; // mongos gives no code here
  }
});
check('isdbgrid', 1, () => db.adminCommand({ isdbgrid: 1 }).isdbgrid);
check('getLog', 1, () => db.adminCommand({ getLog: 'startupWarnings' }).ok);
check('getParameter', 1, () => db.adminCommand({ getParameter: 1, featureCompatibilityVersion: 1 }).ok);
check('atlasVersion is an error, not a hang', 59, () => failing(() => db.adminCommand({ atlasVersion: 1 })).code);
check('whatsmyuri', 1, () => db.adminCommand({ whatsmyuri: 1 }).ok);
check('startSession', 1, () => db.runCommand({ startSession: 1 }).ok);
check('endSessions', 1, () => db.adminCommand({ endSessions: [] }).ok);
check('the config database can be read', true, () => db.getSiblingDB('config').shards.countDocuments() >= 1);
check('admin.aggregate on no collection', true, () => db.getSiblingDB('admin').aggregate([{ $listLocalSessions: {} }]).toArray().length >= 0);
done();
