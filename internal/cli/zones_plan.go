package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/plan"
)

// planFlags are the flags of commands that make a plan of the topology.
type planFlags struct {
	clusterFlags
	Tighten bool `flag:"tighten,oneRun" usage:"replace ranges of the same documents by tight ones, so that a query for one value asks one shard"`
	Prune   bool `flag:"prune,oneRun" usage:"remove ranges of declared collections, and shards of declared zones, that the topology does not declare"`
	Shard   bool `flag:"shard-collections,oneRun" usage:"shard declared collections that are empty or do not exist yet"`
	rate    topology.ByteRate
}

func (f *planFlags) add(cmd *cobra.Command) {
	f.clusterFlags.add(cmd)
	addRateFlag(cmd, &f.rate)
}

func addRateFlag(cmd *cobra.Command, rate *topology.ByteRate) {
	cmd.Flags().TextVar(rate, "rate", plan.DefaultRate, "speed of one migration that the forecast assumes")
}

func (f *planFlags) options() plan.Options {
	return plan.Options{Tighten: f.Tighten, Prune: f.Prune, Shard: f.Shard, Rate: f.rate}
}

// outcomeFlags say what becomes of a plan that is only shown.
type outcomeFlags struct {
	Save     string `flag:"save,oneRun" files:"json" usage:"write the plan to a file, for geoshard apply FILE"`
	ExitCode bool   `flag:"detailed-exitcode" usage:"exit with 0 when nothing is to change, 2 when something is, 1 after an error"`
}

func newPlanCommand(env *environment) *cobra.Command {
	var flags struct {
		planFlags
		outcomeFlags
	}
	return withFlags(&cobra.Command{
		Use:   "plan",
		Short: "Show what has to change for the declared zones, and what it costs",
		Long: `Compare the cluster with the topology, and show what has to change: each step with its reason, and whether it is new (intent), was changed by
somebody since the last apply (drift), or makes bounds tight (tighten). Below: the data that will move between datacenters, counted by the servers where
that is cheap (bytes are those of documents, uncompressed; indexes do not travel, they are made anew where the documents arrive); the datacenters that a query for one value asks before and after; what to know about the cluster; and what has to be done by hand, with
its commands. The last line is what a killed primary costs. Nothing is changed.

--save writes the plan to a file that geoshard apply takes. The file is bound to the state of the cluster: if somebody changes the zones
before, apply refuses it.` + whichHelp,
		Example: `  geoshard plan
  geoshard plan --shard-collections --detailed-exitcode
  geoshard plan -f geoshard.yaml --uri-file prod.uri --save plan.json
  geoshard plan --tighten --rate 50MB/s --output json`,
		RunE: env.onWorld(&flags.clusterFlags, func(ctx context.Context, s session) error {
			plan, err := s.Plan(ctx, s.world, flags.options())
			if err != nil {
				return err
			}
			return env.showPlan(planView{plan, foreseen(s.world)}, flags.outcomeFlags, "geoshard apply, with the same flags")
		}),
	}, &flags)
}

func newRollbackCommand(env *environment) *cobra.Command {
	var flags struct {
		clusterFlags
		outcomeFlags
	}
	var rate topology.ByteRate
	cmd := withFlags(&cobra.Command{
		Use:   "rollback",
		Short: "Plan the way back to the zones from before the last apply",
		Long: `Plan the way back to the zones and ranges that the journal has from before the last apply, and nothing but that. Data that was moved moves
back; a collection that was sharded stays sharded. Nothing is changed: save the plan and apply it. Rolling back a rollback restores what it took back.` + whichHelp,
		Example: `  geoshard rollback
  geoshard rollback --save back.json
  geoshard apply back.json`,
		RunE: env.onWorld(&flags.clusterFlags, func(ctx context.Context, s session) error {
			plan, err := s.Rollback(ctx, s.world, rate)
			if err != nil {
				return err
			}
			return env.showPlan(planView{Plan: plan}, flags.outcomeFlags, "geoshard rollback --save FILE && geoshard apply FILE")
		}),
	}, &flags)
	addRateFlag(cmd, &rate)
	return cmd
}

// showPlan shows a plan and saves it. Next is the command that applies it, for a person.
func (e *environment) showPlan(plan planView, outcome outcomeFlags, next string) error {
	if err := e.show(plan); err != nil {
		return err
	}
	if outcome.Save != "" {
		if err := savePlan(outcome.Save, plan.Plan); err != nil {
			return err
		}
		next = "geoshard apply " + outcome.Save
		e.say("saved the plan to %s", outcome.Save)
	}
	if plan.Empty() {
		return nil
	}
	e.say("apply it: %s", next)
	if outcome.ExitCode {
		return errDifferences
	}
	return nil
}

// savePlan writes a plan file. An older plan gives way; anything else at that place is kept.
func savePlan(file string, plan *zones.Plan) error {
	old, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("save plan: %w", err)
	default:
		if _, err := zones.ReadPlan(bytes.NewReader(old)); err != nil {
			return hint.Errorf("name another file", "save plan: %s exists and is no plan", file)
		}
	}
	text, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return fmt.Errorf("save plan: %w", err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("save plan: %w", err)
	}
	return nil
}

// loadPlan reads a plan file.
func loadPlan(file string) (*zones.Plan, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hint.Errorf("write it with geoshard plan --save "+file, "there is no plan %s", file)
	}
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	defer f.Close()
	plan, err := zones.ReadPlan(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return plan, nil
}
