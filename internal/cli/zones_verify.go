package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/clusterflag"
	"github.com/geoshard/geoshard/internal/redact"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/verify"
)

type verifyFlags struct {
	clusterFlags
	Namespaces       []string          `flag:"ns,oneRun" usage:"only these namespaces of the topology"`
	Sample           int               `flag:"sample,oneRun" usage:"look at that many random documents of a namespace on each member (default all)"`
	Throttle         int               `flag:"throttle" usage:"documents per second that are read from one member (default unlimited)"`
	SparePrimaries   bool              `flag:"spare-primaries,oneRun" usage:"look at secondaries alone, where a shard has any"`
	Examples         int               `flag:"examples" usage:"documents to name of each shard and mistake"`
	ShardCredentials string            `flag:"shard-credentials" files:"" usage:"file with a connection string: how to log in to the shards' members"`
	HostMap          map[string]string `flag:"host-map" usage:"where members can be reached: HOST:PORT=ADDRESS:PORT"`
	ViaRouter        bool              `flag:"via-router,oneRun" usage:"ask the query router alone"`
}

func (f *verifyFlags) add(cmd *cobra.Command) {
	f.clusterFlags.add(cmd)
	_ = cmd.RegisterFlagCompletionFunc("ns", completeWorld(1, namespaceNames))
}

func newVerifyCommand(env *environment) *cobra.Command {
	flags := verifyFlags{Examples: verify.DefaultExamples}
	return withFlags(&cobra.Command{
		Use:   "verify",
		Short: "Prove by documents that everything is where it belongs",
		Long: `Look at the documents, not at the catalogue, and prove two things. Placement: every document is on a shard of its zone; copies that a
migration left behind (orphans) are counted too. Residency: the datacenters of the members that physically hold a zone's documents, primaries and
secondaries, are among those that the zone allows. Documents in the wrong place are named. What was not checked is said. So is what shards that are to be empty
still have beside: those that are being removed, and those of a datacenter that geoshard drain drained.

Exit codes: 0 clean, 1 an error, so that something was not proved, 2 violations. The report in JSON has a SHA-256 over its content.

The members of the shards are connected to one by one. Users of a cluster are not users of its shards: --shard-credentials names a file with a
connection string whose user, password and TLS options are taken for the members, and whose hosts do not matter. That user needs the roles
clusterMonitor, readAnyDatabase and, from MongoDB 8.0 on, directShardOperations. --host-map says where members can be
reached from here that call themselves otherwise. --via-router connects to no member, and proves less: the report says what.

All documents are looked at, along an index. --sample looks at a number of random ones instead, and states what share of documents outside their
zone that leaves possible; --throttle and --spare-primaries spare the servers.` + whichHelp,
		Example: `  geoshard verify
  geoshard verify --ns shop.carts --sample 10000 --spare-primaries
  geoshard verify --uri-file prod.uri --shard-credentials shards.uri --host-map nyc-1.internal:27018=localhost:9001
  geoshard verify --via-router --output json > report.json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if flags.Sample < 0 || flags.Throttle < 0 || flags.Examples < 0 {
				return hint.Errorf("leave the flag out for its default", "--sample, --throttle and --examples are numbers of documents: want 0 or more")
			}
			return env.withWorld(cmd, flags.clusterFlags, func(ctx context.Context, s session) error { return env.verify(ctx, s, flags) })
		},
	}, &flags)
}

func (e *environment) verify(ctx context.Context, s session, flags verifyFlags) (err error) {
	o := verify.Options{
		Namespaces: flags.Namespaces, Sample: flags.Sample, Throttle: flags.Throttle, SparePrimaries: flags.SparePrimaries,
		Examples: flags.Examples, HostMap: flags.HostMap, ViaRouter: flags.ViaRouter,
	}
	if o.ShardClient, err = shardClient(s, flags); err != nil {
		return err
	}
	o.Progress = func(event verify.Event) {
		e.say("%s: %s on %s %s", event.Namespace, plural(event.Member.Documents, "document"), event.Member.Shard, event.Member.Host)
	}
	report, err := verify.Verify(ctx, s.Client(), s.world, o)
	if report != nil {
		if shown := e.show(reportView{report}); shown != nil {
			return errors.Join(err, shown)
		}
	}
	if report != nil && len(report.UnusedHosts) > 0 {
		err = errors.Join(hint.Errorf("write the names as rs.conf() of the shards has them, with their ports", "--host-map names %s, which no member calls itself", strings.Join(report.UnusedHosts, ", ")), err)
	}
	if err != nil {
		return interrupted(ctx, err)
	}
	if !report.Clean() {
		return errDifferences
	}
	return nil
}

// shardClient is how the members of the shards are logged in to: as the file says, as a local cluster knows, else without a user, encrypted as the query
// router is.
func shardClient(s session, flags verifyFlags) (*options.ClientOptions, error) {
	switch {
	case flags.ViaRouter:
		return nil, nil
	case flags.ShardCredentials != "":
		uri, err := clusterflag.ReadURI(flags.ShardCredentials)
		if err != nil {
			return nil, err
		}
		return clientOptions(flags.withTLS(uri))
	case s.target.local != nil:
		uri, err := s.target.local.SecretMemberURI(dataMember(s.target.local.Topology()))
		if err != nil {
			return nil, err
		}
		return clientOptions(uri)
	}
	router, err := clientOptions(s.target.uri)
	if err != nil {
		return nil, err
	}
	return options.Client().SetTLSConfig(router.TLSConfig), nil
}

func clientOptions(uri string) (*options.ClientOptions, error) {
	o := options.Client().ApplyURI(uri)
	if err := o.Validate(); err != nil {
		return nil, hint.Errorf("such as mongodb://user:password@host/?authSource=admin&tls=true", "read the connection string of --shard-credentials: %w", redact.Error(err, uri))
	}
	return o, nil
}

// dataMember names a member that holds documents: arbiters know no users.
func dataMember(t *topology.Topology) string {
	for _, shard := range t.Shards {
		for i, m := range shard.Members {
			if !t.Arbiter(m) {
				return shard.MemberName(i)
			}
		}
	}
	return ""
}

// A reportView is a report as people read it. It encodes as the report.
type reportView struct{ *verify.Report }

func (v reportView) text(out page) {
	for _, n := range v.Namespaces {
		placement(out, n)
	}
	v.residency(out)
	for _, what := range v.Warnings {
		out.printf("%s %s\n", out.warn("warning:"), what)
	}
	v.kept(out)
	for _, what := range v.NotChecked {
		out.printf("%s %s\n", out.warn("not checked:"), what)
	}
	if len(v.Warnings)+len(v.NotChecked) > 0 {
		out.println()
	}
	verdict := out.good(v.Verdict())
	if !v.Clean() {
		verdict = out.bad(v.Verdict())
	}
	t, outside := v.Totals(), ""
	if t.Outside > 0 {
		outside = fmt.Sprintf(", %d more outside their zone", t.Outside)
	}
	out.printf("%s: %s, %d misplaced, %s%s, %d of unknown values\nsha256 %s\n",
		verdict, plural(t.Documents, "document"), t.Misplaced, plural(t.Orphans, "orphan"), outside, t.Unknown, v.Hash())
}
