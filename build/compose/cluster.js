// Forms the replica sets of compose.yaml and adds the shards. It can run again: what is there stays. For mongosh --nodb.

const datacenters = ["nyc", "lon", "syd"];

// priorities put the primary of a shard at home, and the config servers' in New York.
function priority(home, dc) {
  if (dc === home) return 10;
  return dc === (home === "syd" ? "lon" : datacenters.find((d) => d !== home)) ? 5 : 1;
}

// retry repeats what fails while servers start, for two minutes.
function retry(what, attempt) {
  const deadline = Date.now() + 120_000;
  for (;;) {
    try {
      return attempt();
    } catch (e) {
      if (Date.now() > deadline) throw new Error(`${what}: ${e.message}`);
      sleep(1000);
    }
  }
}

function initiate(set, home) {
  const members = datacenters.map((dc, i) => ({_id: i, host: `${set}-${dc}:27017`, priority: priority(home, dc), tags: {dc: dc.toUpperCase()}}));
  const config = set === "config"
    ? {_id: set, configsvr: true, members}
    : {_id: set, members, settings: {getLastErrorModes: {multiDatacenter: {dc: 2}}}};
  const admin = connect(`mongodb://${set}-${home}:27017/admin?directConnection=true`);
  retry(`initiate ${set}`, () => {
    try {
      admin.runCommand({replSetInitiate: config});
    } catch (e) {
      if (e.codeName !== "AlreadyInitialized") throw e;
    }
    const primary = admin.hello().primary;
    if (primary !== `${set}-${home}:27017`) throw new Error(`the primary is ${primary ?? "not elected"}, and not at home`);
  });
  print(`${set}: primary at home, ${home}`);
}

initiate("config", "nyc");
for (const dc of datacenters) initiate(dc, dc);

const router = retry("reach the query router", () => connect("mongodb://mongos-nyc:27017/admin"));
for (const dc of datacenters) {
  const seeds = datacenters.map((d) => `${dc}-${d}:27017`).join(",");
  retry(`add shard ${dc}`, () => router.adminCommand({addShard: `${dc}/${seeds}`, name: dc}));
  print(`shard ${dc} added`);
}
