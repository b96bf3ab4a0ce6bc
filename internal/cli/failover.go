package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// forecastSeed makes a forecast the same each time it is asked for.
const forecastSeed = 1

// failoverFlags are the settings that a forecast is for, and what its advice has to bear.
type failoverFlags struct {
	worldFlags
	Timeout   time.Duration `flag:"election-timeout,oneRun" usage:"settings.electionTimeoutMillis of the replica sets"`
	Heartbeat time.Duration `flag:"heartbeat,oneRun" usage:"settings.heartbeatIntervalMillis"`
	Spread    float64       `flag:"offset-fraction,oneRun" usage:"mongod's parameter replElectionTimeoutOffsetLimitFraction"`
	CatchUp   time.Duration `flag:"catch-up-timeout,oneRun" usage:"settings.catchUpTimeoutMillis; 0 = as long as it takes"`
	Stall     time.Duration `flag:"stall,oneRun" usage:"a silence of the primary that is no failure, for the advice"`
	Risk      float64       `flag:"risk,oneRun" usage:"how likely such a silence may begin an election, 0 to 1"`
}

func newConsistencyFailoverCommand(env *environment) *cobra.Command {
	defaults := consistency.MongoDBElections
	flags := failoverFlags{
		Timeout: defaults.Timeout, Heartbeat: defaults.Heartbeat, Spread: defaults.Spread,
		Stall: consistency.DefaultRisk.Stall, Risk: consistency.DefaultRisk.Chance,
	}
	return withFlags(&cobra.Command{
		Use:   "failover",
		Short: "Forecast how long nobody can write after a failure, and the settings that make it shorter",
		Long: `Forecast how long nobody can write to each shard after its primary was killed, its home datacenter was lost, or was cut off, under a steady load of
writes: from the failure to the first acknowledged write of one who tries again and again, beside the new primary. w: 1 is acknowledged by the primary, the other columns by a second
datacenter as well. The last column is how often the first vote elects nobody. A datacenter whose machines lose power refuses nothing: it is as one that is cut off.

Below are the priorities, and then the settings, that make the longest of these outages shortest, among those with which a primary that is silent for --stall is replaced with a chance
of --risk at most. replElectionTimeoutOffsetLimitFraction is not in MongoDB's manual, and may not be had where others run the servers, as on Atlas; it is advised only where several
members may succeed a primary.

Nothing is asked of a cluster: the links are the declared ones. Without flags the settings are MongoDB's own; geoshard's clusters have 2s, heartbeats every 500ms and 0.15, or 0.6
where several members may succeed the primary.

` + whichWorld,
		Example: `  geoshard consistency failover
  geoshard consistency failover --election-timeout 2s --heartbeat 500ms --preset us-east-west
  geoshard consistency failover -f geoshard.yaml --stall 5s --risk 0.001 --output json`,
		RunE: env.ofWorld(&flags.worldFlags, func(name string, world *topology.Topology, _ []string) (view, error) {
			if err := flags.check(); err != nil {
				return nil, err
			}
			return newFailoverForecast(name, world, flags), nil
		}),
	}, &flags)
}

func (f failoverFlags) check() error {
	const like = "leave the flag out for MongoDB's own"
	switch {
	case f.Timeout <= 0:
		return hint.Errorf(like, "--election-timeout %s: want more than 0", f.Timeout)
	case f.Heartbeat <= 0:
		return hint.Errorf(like, "--heartbeat %s: want more than 0", f.Heartbeat)
	case f.Spread <= 0 || f.Spread > 1:
		return hint.Errorf(like+", 0.15", "--offset-fraction %g: want more than 0, and 1 at most", f.Spread)
	case f.CatchUp < 0:
		return hint.Errorf(like+": as long as it takes", "--catch-up-timeout %s: want 0 or more", f.CatchUp)
	case f.Stall < 0:
		return hint.Errorf("such as 1s, or 0 to bear none", "--stall %s: want 0 or more", f.Stall)
	case f.Risk < 0 || f.Risk > 1:
		return hint.Errorf("0.01 is once in a hundred times", "--risk %g: want 0 to 1", f.Risk)
	default:
		return nil
	}
}

func (f failoverFlags) settings() consistency.Elections {
	return consistency.Elections{Timeout: f.Timeout, Heartbeat: f.Heartbeat, Spread: f.Spread, CatchUp: f.CatchUp}
}

// A failoverForecast is what consistency failover shows.
type failoverForecast struct {
	Topology string           `json:"topology"`
	Settings electionSettings `json:"settings"`
	Outages  []outageRow      `json:"outages"`
	Stall    cluster.Duration `json:"stall"`
	Advice   []adviceRow      `json:"advice"`
}

type electionSettings struct {
	ElectionTimeout cluster.Duration `json:"electionTimeout"`
	Heartbeat       cluster.Duration `json:"heartbeatInterval"`
	OffsetFraction  float64          `json:"replElectionTimeoutOffsetLimitFraction"`
}

func shownSettings(e consistency.Elections) electionSettings {
	return electionSettings{cluster.Duration(e.Timeout), cluster.Duration(e.Heartbeat), e.Spread}
}

// A outageRow is one shard and failure; nil = nobody can ever write.
type outageRow struct {
	Shard   topology.ShardID      `json:"shard"`
	Home    topology.DatacenterID `json:"home"`
	Failure consistency.Failure   `json:"failure"`
	W1      *outageTimes          `json:"w1"`
	Multi   *outageTimes          `json:"multiDatacenter"`
	// Split is the chance that the first vote elects nobody.
	Split float64 `json:"splitVote"`
}

type outageTimes struct {
	Median  cluster.Duration `json:"median"`
	P95     cluster.Duration `json:"p95"`
	P99     cluster.Duration `json:"p99"`
	Above5s float64          `json:"above5s"`
}

func timesOf(d consistency.Distribution) *outageTimes {
	if d == nil {
		return nil
	}
	return &outageTimes{hundredths(d.At(0.5)), hundredths(d.At(0.95)), hundredths(d.At(0.99)), d.Above(5 * time.Second)}
}

func hundredths(d time.Duration) cluster.Duration {
	return cluster.Duration(d.Round(10 * time.Millisecond))
}

// cells are those of a row for a distribution.
func (o *outageTimes) cells() []any {
	if o == nil {
		return []any{"never", "", ""}
	}
	return []any{o.Median, o.P99, percent(o.Above5s)}
}

func percent(part float64) string { return fmt.Sprintf("%.3g %%", 100*part) }

// An adviceRow is what would make a shard's longest outages shorter.
type adviceRow struct {
	Shard topology.ShardID `json:"shard"`
	// Now and Then are the longest of the failures' 99th percentiles, with w: 1; 0 = nobody is
	// elected.
	Now  cluster.Duration `json:"now"`
	Then cluster.Duration `json:"then"`
	// FalseElection is the chance that the silence begins an election.
	FalseElection float64          `json:"falseElection"`
	Settings      electionSettings `json:"settings"`
	// Reconfig are lines for mongosh, Mongod options of each of the shard's members.
	Reconfig []string `json:"reconfig"`
	Mongod   []string `json:"mongod"`
}

func newFailoverForecast(name string, world *topology.Topology, flags failoverFlags) failoverForecast {
	settings := flags.settings()
	v := failoverForecast{Topology: name, Settings: shownSettings(settings), Stall: cluster.Duration(flags.Stall)}
	for _, o := range consistency.Outages(world, settings, forecastSeed) {
		row := outageRow{o.Shard, o.Home, o.Failure, timesOf(o.Fast), timesOf(o.Lasting), o.Split}
		v.Outages = append(v.Outages, row)
	}
	risk := consistency.Risk{Stall: flags.Stall, Chance: flags.Risk}
	for _, shard := range world.Shards {
		a := consistency.Advise(world, shard, settings, risk, forecastSeed)
		v.Advice = append(v.Advice, newAdviceRow(shard, settings, a))
	}
	return v
}

func newAdviceRow(shard topology.Shard, now consistency.Elections, a consistency.Advice) adviceRow {
	row := adviceRow{
		Shard: a.Shard, Now: hundredths(a.Now), Then: hundredths(a.Then), FalseElection: a.Risk,
		Settings: shownSettings(a.Settings), Reconfig: []string{}, Mongod: []string{},
	}
	for _, i := range a.Changed {
		line := fmt.Sprintf("cfg.members[%d].priority = %g // %s", i, a.Members[i].Priority, shard.MemberName(i))
		row.Reconfig = append(row.Reconfig, line)
	}
	for _, setting := range []struct {
		name      string
		now, then time.Duration
	}{
		{"electionTimeoutMillis", now.Timeout, a.Settings.Timeout},
		{"heartbeatIntervalMillis", now.Heartbeat, a.Settings.Heartbeat},
	} {
		if setting.now != setting.then {
			line := fmt.Sprintf("cfg.settings.%s = %d", setting.name, setting.then.Milliseconds())
			row.Reconfig = append(row.Reconfig, line)
		}
	}
	if len(row.Reconfig) > 0 {
		row.Reconfig = append(append([]string{"cfg = rs.conf()"}, row.Reconfig...), "rs.reconfig(cfg)")
	}
	if now.Spread != a.Settings.Spread {
		row.Mongod = append(row.Mongod, fmt.Sprintf("--setParameter replElectionTimeoutOffsetLimitFraction=%g", a.Settings.Spread))
	}
	return row
}

func (v failoverForecast) text(out page) {
	t := out.grid("shard", "home", "failure", "w: 1, median", "99 %", "above 5s",
		"2 datacenters, median", "99 %", "above 5s", "split vote")
	for _, o := range v.Outages {
		cells := []any{o.Shard, o.Home, o.Failure}
		cells = append(append(cells, o.W1.cells()...), o.Multi.cells()...)
		if o.W1 != nil {
			cells = append(cells, percent(o.Split))
		}
		t.row(cells...)
	}
	out.printf("%s\n", t)
	out.printf("Forecast for %s under a steady load of writes, with an election timeout of %s, heartbeats every %s and an offset limit of %g of the timeout.\n",
		v.Topology, v.Settings.ElectionTimeout, v.Settings.Heartbeat, v.Settings.OffsetFraction)
	for _, a := range v.Advice {
		out.println()
		if len(a.Reconfig) == 0 && len(a.Mongod) == 0 {
			out.printf("%s: nothing that was tried is shorter than %s in 99 of 100 failures\n", out.bold(string(a.Shard)), a.Now)
			continue
		}
		now := a.Now.String()
		if a.Now == 0 {
			now = "no primary at all"
		}
		out.printf("%s: %s instead of %s in 99 of 100 failures of the worst kind; a silence of %s begins an election in %s of all cases\n",
			out.bold(string(a.Shard)), a.Then, now, v.Stall, percent(a.FalseElection))
		for _, line := range a.Reconfig {
			out.printf("  %s\n", line)
		}
		for _, line := range a.Mongod {
			out.printf("  mongod %s\n", line)
		}
	}
}

// foreseen is one line about what a killed primary costs where it costs most. "" = there is no
// shard.
func foreseen(world *topology.Topology) string {
	worst := func(timeout time.Duration) (worst consistency.Outage) {
		for _, shard := range world.Shards {
			settings := consistency.ClusterElections(world, shard, timeout)
			o := consistency.OutageOf(world, shard, consistency.PrimaryKilled, settings, forecastSeed)
			if o.Fast == nil {
				return o
			}
			if worst.Fast == nil || o.Fast.At(0.99) > worst.Fast.At(0.99) {
				worst = o
			}
		}
		return worst
	}
	own := worst(consistency.MongoDBElections.Timeout)
	switch {
	case len(world.Shards) == 0:
		return ""
	case own.Fast == nil:
		return fmt.Sprintf("failover: when the primary of %s is killed, no other is elected", own.Shard)
	}
	quick := worst(local.DefaultElectionTimeout)
	return fmt.Sprintf("failover: writes of %s wait %s when its primary is killed, %s in 99 of 100 cases (%s and %s with an election timeout of %s); more with geoshard consistency failover",
		own.Shard, hundredths(own.Fast.At(0.5)), hundredths(own.Fast.At(0.99)), hundredths(quick.Fast.At(0.5)), hundredths(quick.Fast.At(0.99)), local.DefaultElectionTimeout)
}
