package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/catalog"
)

type applyFlags struct {
	planFlags
	AutoApprove bool   `flag:"auto-approve,oneRun" usage:"do not ask"`
	Force       bool   `flag:"force,oneRun" usage:"apply a plan that replaces a great part of all ranges"`
	Wait        string `flag:"wait,oneRun" complete:"waits" usage:"wait until data has moved, or also until no copies are left (moved or clean)"`
}

func newApplyCommand(env *environment) *cobra.Command {
	var flags applyFlags
	cmd := withFlags(&cobra.Command{
		Use:   "apply [PLAN]",
		Short: "Apply a plan: one that was saved, or one made now",
		Long: `Apply the plan of a file (geoshard plan --save), or make one now as geoshard plan does, with the same flags. The plan is shown first.
Before anything that moves data or drops a range it asks at the terminal; elsewhere it refuses, unless --auto-approve is given. A plan that replaces
more than 30 % of 10 ranges or more needs --force as well.

Each step is written to a journal in the database geoshard of the cluster. An apply that was interrupted, by Ctrl-C or anything else, is
gone on with by running it again. Two applies at a time are kept apart. The balancer moves the data afterwards, and is neither started nor stopped:
--wait=moved waits until everything is on a shard of its zone, --wait=clean also until no copies are left behind, which takes the servers a quarter of an
hour by default. geoshard rollback plans the way back.` + whichHelp,
		Example: `  geoshard apply
  geoshard apply --shard-collections --auto-approve --wait=moved
  geoshard plan --save plan.json
  geoshard apply plan.json --wait=clean`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var goal apply.WaitGoal // "" where nothing is to be waited for
			if flags.Wait != "" {
				if err := goal.UnmarshalText([]byte(flags.Wait)); err != nil {
					return hint.Errorf("write --wait=moved or --wait=clean", "--wait: %w", err)
				}
			}
			if len(args) == 1 {
				return env.applyFile(cmd, args[0], flags, goal)
			}
			return env.withWorld(cmd, flags.clusterFlags, func(ctx context.Context, s session) error {
				plan, err := s.Plan(ctx, s.world, flags.options())
				if err != nil {
					return err
				}
				return env.applyPlan(ctx, s, plan, flags, goal)
			})
		},
	}, &flags)
	cmd.Flags().Lookup("wait").NoOptDefVal = string(apply.WaitMoved)
	return cmd
}

// applyFile applies a saved plan. What it does is in the file: flags that make a plan have no place.
func (e *environment) applyFile(cmd *cobra.Command, file string, flags applyFlags, goal apply.WaitGoal) error {
	for _, name := range []string{"file", "preset", "tighten", "prune", "shard-collections", "rate"} {
		if cmd.Flags().Changed(name) {
			return hint.Errorf("make the plan with it: geoshard plan --save "+file, "--%s has no effect on a saved plan", name)
		}
	}
	plan, err := loadPlan(file)
	if err != nil {
		return err
	}
	return e.withCluster(cmd, flags.reachFlags, func(ctx context.Context, s session) error { return e.applyPlan(ctx, s, plan, flags, goal) })
}

func (e *environment) applyPlan(ctx context.Context, s session, plan *zones.Plan, flags applyFlags, goal apply.WaitGoal) error {
	if e.output == outputText {
		if err := e.show(planView{Plan: plan}); err != nil {
			return err
		}
	}
	result, err := e.perform(ctx, s, plan, flags)
	if err != nil {
		return interrupted(ctx, err)
	}
	view := applied{Plan: plan, Result: result}
	if goal != "" {
		listen, done := e.progress()
		err := apply.Wait(ctx, plan.Layout, s, apply.WaitOptions{Goal: goal, Listen: listen})
		done()
		if err != nil {
			return interrupted(ctx, err)
		}
		view.Reached = goal
	}
	return e.show(view)
}

func (e *environment) perform(ctx context.Context, s session, plan *zones.Plan, flags applyFlags) (*apply.Result, error) {
	listen, done := e.progress()
	defer done()
	o := apply.Options{AutoApprove: flags.AutoApprove, Force: flags.Force, Listen: listen}
	if _, ok := e.terminalIn(); ok && e.output == outputText { // else nobody has seen the plan
		o.Approve = func(ctx context.Context, steps []zones.Step) (bool, error) {
			return e.ask(ctx, fmt.Sprintf("%s of the plan may move data or drop a range. Apply it?", plural(len(steps), "step")))
		}
	}
	return apply.Apply(ctx, plan, s.ApplyDeps(catalog.LockOptions{}), o)
}

// interrupted says of an error that Ctrl-C is behind it. The hint of the error says how to go on.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("interrupted: %w", err)
}

// An applied is what apply shows in the end.
type applied struct {
	Plan   *zones.Plan   `json:"plan"`
	Result *apply.Result `json:"result"`
	// Reached is what was waited for, empty if nothing was.
	Reached apply.WaitGoal `json:"reached,omitempty"`
}

func (a applied) text(out page) {
	if r := a.Result; r.Run == "" {
		out.println("nothing was to be applied")
	} else {
		out.printf("%s: %s", out.good("applied"), plural(r.Done, "step"))
		if r.Before > 0 {
			out.printf(", after %d of an earlier apply that was interrupted", r.Before)
		}
		out.printf(" (run %s)\n", r.Run)
	}
	switch a.Reached {
	case apply.WaitMoved:
		out.println("everything is on a shard of its zone")
	case apply.WaitClean:
		out.println("everything is on a shard of its zone, and no copies are left behind")
	default:
		if len(a.Plan.Forecast.Moves) > 0 {
			out.println("the balancer moves the data now: geoshard status --watch")
		}
	}
	if a.Result.Run != "" {
		out.println("the way back: geoshard rollback")
	}
}
