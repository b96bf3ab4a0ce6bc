package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/zones/rehome"
)

func newRehomeCommand(env *environment) *cobra.Command {
	var flags struct {
		clusterFlags
		namespaceFlags
		Filter string `flag:"filter,oneRun,required" usage:"which documents, as extended JSON (required)"`
		To     string `flag:"to,oneRun,required" complete:"zones" usage:"the new value of the zone field, a string or extended JSON (required)"`
		Batch  int    `flag:"batch" usage:"documents in one transaction"`
		DryRun bool   `flag:"dry-run,oneRun" usage:"count what would move, and change nothing"`
	}
	flags.Batch = rehome.DefaultBatch
	return withFlags(&cobra.Command{
		Use:   "rehome",
		Short: "Move documents to another home",
		Long: `Move the documents that a filter chooses to another home: their zone field gets another value, so that the shard of that zone owns them. They go in
batches, each one a transaction, together with their related documents of other namespaces as the topology declares them. Nothing is lost or doubled when it is
interrupted: run it again, and it goes on. A document that cannot move as it is stays, with what is related to it; it is named, all others move, and the exit code
is 2.

--to is the new value of the zone field. Where zones have the names of their datacenters, it is the datacenter: LON. Values of other types are extended
JSON: 44, {"$date":"2026-01-01T00:00:00Z"}, {"$oid":"…"}, {"$uuid":"…"}; a string that looks like one stands in double quotes: '"44"'. The filter is
extended JSON too; {} chooses all documents. --dry-run counts what would move.` + whichHelp,
		Example: `  geoshard rehome --ns shop.carts --filter '{"userId":7}' --to LON --dry-run
  geoshard rehome --ns shop.carts --filter '{"userId":7}' --to LON
  geoshard rehome --filter '{"dataCenter":"SYD"}' --to LON --batch 200
  geoshard rehome --ns crm.accounts --filter '{"country":1}' --to 44`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			chosen, err := readFilter("--filter", flags.Filter)
			if err != nil {
				return err
			}
			to, err := shardkey.ParseValue(flags.To)
			if err != nil {
				return hint.Errorf(`write a string such as LON, or extended JSON: 44, {"$date":"2026-01-01T00:00:00Z"}, {"$oid":"…"}, {"$uuid":"…"}`, "--to %w", err)
			}
			if flags.Batch < 0 {
				return hint.Errorf("leave it out for "+strconv.Itoa(rehome.DefaultBatch), "--batch %d: want 1 or more", flags.Batch)
			}
			return env.withWorld(cmd, flags.clusterFlags, func(ctx context.Context, s session) error {
				ns, err := flags.namespace(s.world)
				if err != nil {
					return err
				}
				o := rehome.Options{Namespace: ns, Filter: chosen, To: to, Batch: flags.Batch, DryRun: flags.DryRun, Progress: env.rehoming}
				result, err := rehome.Rehome(ctx, s.Client(), s.world, o)
				if errors.Is(err, rehome.ErrIncomplete) && len(result.Stuck) > 0 {
					if err := env.show(rehomed{result}); err != nil {
						return err
					}
					return errDifferences
				}
				if err != nil {
					if result != nil {
						env.say("done before that:")
						rehomed{result}.text(env.page(env.stderr))
					}
					return interrupted(ctx, err)
				}
				return env.show(rehomed{result})
			})
		},
	}, &flags)
}

// rehoming tells how far it is.
func (e *environment) rehoming(event rehome.Event) {
	related := ""
	if event.Related > 0 {
		related = fmt.Sprintf(", with %s", plural(event.Related, "related document"))
	}
	e.say("%s: %d of about %d moved, %d were at home%s", event.Namespace, event.Moved, event.Total, event.Skipped, related)
}

// A rehomed is what rehome shows.
type rehomed struct{ *rehome.Result }

func (r rehomed) text(out page) {
	moved := "moved"
	if r.DryRun {
		moved = "would move"
	}
	t := out.grid("namespace", moved, "at home already", "left behind")
	for _, n := range r.Namespaces {
		count := n.After
		if r.DryRun {
			count = n.Before
		}
		t.row(n.Namespace, count, n.Skipped, wrong(out, n.LeftBehind))
	}
	out.printf("%s", t)
	if r.Collation != "" {
		out.printf("strings of the filter were compared by their bytes; the collection's own queries compare them as %s does, and may find others\n", r.Collation)
	}
	for _, stuck := range r.Stuck {
		out.printf("%s _id %s: %s\n", out.bad("cannot move:"), stuck.ID, stuck.Reason)
		if stuck.Hint != "" {
			out.printf("  %s %s\n", out.warn("hint:"), stuck.Hint)
		}
	}
	if more := r.Namespaces[0].Stuck - int64(len(r.Stuck)); more > 0 {
		out.printf("and %d more\n", more)
	}
}
