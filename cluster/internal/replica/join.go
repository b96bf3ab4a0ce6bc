package replica

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/internal/passing"
)

// joinSet makes members part of a set that works: first without vote and priority, so that nothing waits for them and nobody elects them while
// they copy; when they have copied, with what their node says, one at a time, since one configuration may change one vote only (manual: "Add Members to a Self-Managed
// Replica Set"). Who is a member already is left as it is, so a join that was interrupted can be repeated.
func (f *Formation[M]) joinSet(ctx context.Context, set string, present, joining []M) error {
	if err := f.awaitRunning(ctx, joining); err != nil {
		return err
	}
	for _, m := range joining {
		if n := m.Node(); n.Kind != layout.Arbiter { // an arbiter has nothing to copy, and is nothing but its vote
			n.Priority, n.Votes = 0, 0
			if err := reconfigure(ctx, present, n, m.Advertised(), added); err != nil {
				return fmt.Errorf("add %s: %w", n.Name, err)
			}
		}
	}
	for _, m := range joining {
		n := m.Node()
		if n.Kind != layout.Arbiter {
			if err := AwaitHello(ctx, m, "copy", Hello.Works); err != nil {
				return err
			}
		}
		if err := reconfigure(ctx, present, n, m.Advertised(), empowered); err != nil {
			return fmt.Errorf("give %s its vote: %w", n.Name, err)
		}
		if err := AwaitHello(ctx, m, "copy", Hello.Works); err != nil {
			return err
		}
	}
	for _, m := range joining {
		f.Report("%s is a member of %s", m.Node().Name, set)
	}
	if set == cluster.ConfigSet {
		close(f.configured)
	}
	return nil
}

// added adds a member to those of a configuration, unless it is there.
func added(members []layout.SetMember, n layout.Node, host string) ([]layout.SetMember, bool) {
	free := 0
	for _, m := range members {
		if m.Host == host {
			return members, false
		}
		free = max(free, m.ID+1)
	}
	return append(members, n.SetMember(free, host)), true
}

// empowered gives a member the vote and the priority of its node, unless it has them, and adds it where it is missing.
func empowered(members []layout.SetMember, n layout.Node, host string) ([]layout.SetMember, bool) {
	at := slices.IndexFunc(members, func(m layout.SetMember) bool { return m.Host == host })
	if at < 0 {
		return added(members, n, host)
	}
	m := &members[at]
	changed := m.Votes != n.Votes || m.Priority != n.Priority
	m.Votes, m.Priority = n.Votes, n.Priority
	return members, changed
}

// An edit changes what the members of a configuration say of one node, and tells whether it did.
type edit func(members []layout.SetMember, n layout.Node, host string) (edited []layout.SetMember, changed bool)

// reconfigure puts an edited configuration into force. It reads the configuration anew for each attempt: the primary may change meanwhile.
func reconfigure[M Member](ctx context.Context, present []M, n layout.Node, host string, do edit) error {
	return Await(ctx, LookEvery, "reconfigure "+present[0].Node().Set, func(last *error) (bool, error) {
		primary, err := firstThat(ctx, present, Hello.leads, layout.Data, layout.Config)
		if err != nil {
			*last = fmt.Errorf("look for the primary: %w", err)
			return false, nil
		}
		if *last = attempt(ctx, primary, n, host, do); Passing(*last) || passing.HasCode(*last, stillUnderWay...) {
			return false, nil
		}
		return true, *last
	})
}

func attempt(ctx context.Context, primary Member, n layout.Node, host string, do edit) error {
	var answer struct {
		Config layout.SetConfig `bson:"config"`
	}
	if err := primary.Run(ctx, bson.D{{Key: "replSetGetConfig", Value: 1}}, &answer); err != nil {
		return err
	}
	config, changed := &answer.Config, false
	if config.Members, changed = do(config.Members, n, host); !changed {
		return nil
	}
	config.Version++
	return primary.Run(ctx, bson.D{{Key: "replSetReconfig", Value: config}}, nil)
}

// stillUnderWay are the codes of a set whose other configuration is still on its way to a majority: ConfigurationInProgress, CurrentConfigNotCommittedYet.
var stillUnderWay = []int{109, 308}
