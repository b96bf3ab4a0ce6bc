package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/demo"
	"github.com/geoshard/geoshard/internal/demo/dashboard"
	"github.com/geoshard/geoshard/internal/mongobin"
	"github.com/geoshard/geoshard/internal/serve"
)

// demoFlags are the flags of demo.
type demoFlags struct {
	demoServeFlags
	Preset          string        `flag:"preset,oneRun" complete:"presets" usage:"the world to play in: nyc-lon-syd or us-east-west"`
	Name            string        `flag:"name" usage:"name of the cluster"`
	Spoil           string        `flag:"break,oneRun" usage:"spoil a step, so that its checks fail"`
	List            bool          `flag:"list,oneRun" usage:"list the steps, and what breaking them does"`
	ElectionTimeout time.Duration `flag:"election-timeout" usage:"how long members wait for a primary before they elect another"`
}

func newDemoCommand(env *environment) *cobra.Command {
	flags := demoFlags{
		demoServeFlags: demoServeFlags{Listen: defaultDashboard}, Preset: configs.Default, Name: demo.DefaultName, ElectionTimeout: local.DefaultElectionTimeout,
	}
	cmd := withFlags(&cobra.Command{
		Use:   "demo",
		Short: "Play the whole story on a cluster of its own",
		Long: `Start a cluster with the WAN between its datacenters, plan, apply and prove its zones, open a shop and a gateway in each datacenter, and play a story with real
requests: a new customer, his own writes read abroad, a delayed product, orders and totals, a traveller, a primary that is killed, a datacenter that is cut off. Each
line says what was asked, where, how long it took, and who answered. Everything is measured, and checked against what the topology and the acknowledgements say.

The exit code is 0 if every check held. --break spoils one step on purpose, so that it does not, and ends the story there. Nothing is left in the
end, nor after Ctrl-C. While the story is played, geoshard cluster status --name demo shows the cluster; --serve opens a dashboard beside it, which stays.

The preset us-east-west has two datacenters, and a story that begins with the states of both coasts.`,
		Example: `  geoshard demo
  geoshard demo --preset us-east-west
  geoshard demo --output json > story.json
  geoshard demo --list
  geoshard demo --break delay
  geoshard demo --serve --no-story`,
		RunE: func(cmd *cobra.Command, _ []string) error { return env.demo(cmd.Context(), flags) },
	}, &flags)
	_ = cmd.RegisterFlagCompletionFunc("break", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var names []cobra.Completion
		for _, step := range demo.Story(flags.Preset) {
			names = append(names, cobra.CompletionWithDesc(step.Name, step.Title))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

func (e *environment) demo(ctx context.Context, flags demoFlags) error {
	if flags.List {
		return e.show(storyView{Preset: flags.Preset, Steps: demo.Story(flags.Preset)})
	}
	if err := checkElectionTimeout(flags.ElectionTimeout); err != nil {
		return err
	}
	if flags.Spoil != "" {
		if err := demo.CheckStep(flags.Preset, flags.Spoil); err != nil {
			return err
		}
	}
	listener, err := flags.bind(ctx)
	if err != nil {
		return err
	}
	tools, err := mongobin.Ensure(ctx, e.mongodbOptions())
	if err != nil {
		return interrupted(ctx, err)
	}
	gin.SetMode(gin.ReleaseMode)
	teller := e.newTeller()
	defer teller.rest()
	world, err := demo.Start(ctx, demo.Options{Preset: flags.Preset, Name: flags.Name, ElectionTimeout: flags.ElectionTimeout, Tools: tools, Progress: teller.starting})
	if err != nil {
		return interrupted(ctx, err)
	}
	return errors.Join(e.play(ctx, world, flags, listener, teller), world.Close(context.WithoutCancel(ctx)))
}

// play plays the story in a world, with the dashboard beside it if there is one.
func (e *environment) play(ctx context.Context, world *demo.World, flags demoFlags, listener net.Listener, teller *teller) error {
	page, err := e.openDashboard(ctx, world, listener)
	if err != nil {
		return err
	}
	defer page.close()
	if flags.NoStory {
		teller.rest()
		return page.stay(ctx, e)
	}
	report, err := demo.Play(ctx, world, demo.PlayOptions{Break: flags.Spoil, Listen: teller.hear})
	teller.rest()
	if err != nil {
		return interrupted(ctx, err)
	}
	if err := e.show(reportedView{report}); err != nil {
		return err
	}
	if err := page.stay(ctx, e); err != nil {
		return err
	}
	if !report.Held() {
		return storyFailed(report)
	}
	return nil
}

// storyFailed says what of a story did not hold.
func storyFailed(r *demo.Report) error {
	last := r.Steps[len(r.Steps)-1]
	if last.Error != "" {
		return fmt.Errorf("step %s broke off: %s", last.Name, last.Error)
	}
	if r.Broken != "" && r.Checks.Failed == 0 {
		return fmt.Errorf("step %s was spoilt, and every check held all the same", r.Broken)
	}
	return fmt.Errorf("%d of %s did not hold", r.Checks.Failed, plural(r.Checks.Held+r.Checks.Failed, "check"))
}

// A storyView lists steps.
type storyView struct {
	Preset string      `json:"preset"`
	Steps  []demo.Step `json:"steps"`
}

func (v storyView) text(out page) {
	t := out.grid("step", "shows", "broken by")
	for _, step := range v.Steps {
		t.row(step.Name, step.Title, step.Spoilt)
	}
	out.printf("%s", t)
}

// defaultDashboard is on this machine alone.
const defaultDashboard = "127.0.0.1:8090"

// demoServeFlags are the flags of demo --serve.
type demoServeFlags struct {
	Serve    bool   `flag:"serve" usage:"open the dashboard, and keep everything running until Ctrl-C"`
	NoStory  bool   `flag:"no-story" usage:"with --serve: play no story, the buttons are yours at once"`
	Listen   string `flag:"listen" usage:"with --serve: address of the dashboard"`
	Insecure bool   `flag:"insecure" usage:"with --serve: let the dashboard listen beyond this machine, without TLS"`
}

// bind opens the dashboard's address before the cluster is started: a port that is taken is told at once. Without --serve there is none.
func (f *demoServeFlags) bind(ctx context.Context) (net.Listener, error) {
	if !f.Serve {
		if f.NoStory {
			return nil, hint.Errorf("give --serve with it", "--no-story leaves nothing to do")
		}
		return nil, nil
	}
	if _, _, err := net.SplitHostPort(f.Listen); err != nil {
		return nil, hint.Errorf("an address is written HOST:PORT, for example "+defaultDashboard, "listen: %w", err)
	}
	if !f.Insecure && !serve.OnThisMachine(f.Listen) {
		return nil, hint.Errorf("leave --listen at an address of this machine, or give --insecure if something in front has TLS", "%s can be reached from other machines, and the dashboard has no TLS", f.Listen)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.Listen)
	if err != nil {
		return nil, hint.Errorf("choose another address by --listen; port 0 is any free one", "listen: %w", err)
	}
	return listener, nil
}

// A demoPage is a dashboard that is served beside the story; nil where there is none.
type demoPage struct {
	dashboard *dashboard.Dashboard
	stop      context.CancelFunc
	served    chan error
}

// openDashboard serves a world's dashboard and says where. While the story measures, the page sends no traffic of its own.
func (e *environment) openDashboard(ctx context.Context, world *demo.World, listener net.Listener) (*demoPage, error) {
	if listener == nil {
		return nil, nil
	}
	token := dashboard.NewToken()
	d, err := dashboard.New(dashboard.Options{World: world, Token: token, Keys: world.Tokens(), Quiet: true})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	p := &demoPage{dashboard: d, stop: stop, served: make(chan error, 1)}
	go func() { p.served <- dashboard.Serve(ctx, d, listener) }()
	_, err = fmt.Fprintf(e.stderr, "dashboard: http://%s/#token=%s\n", listener.Addr(), token)
	return p, err
}

// stay keeps the page open until the context ends.
func (p *demoPage) stay(ctx context.Context, e *environment) error {
	if p == nil {
		return nil
	}
	p.dashboard.Steady(true)
	e.say("the dashboard stays open; Ctrl-C ends it, and everything with it")
	select {
	case <-ctx.Done():
		return nil
	case err := <-p.served:
		p.served <- nil // close waits for it
		if err != nil {
			return fmt.Errorf("serve the dashboard: %w", err)
		}
		return nil
	}
}

// close ends the page, before the world that it shows.
func (p *demoPage) close() {
	if p != nil {
		p.stop()
		<-p.served
	}
}
