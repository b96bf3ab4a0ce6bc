package replica

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/pace"
)

// Lags holds members behind, by slowing the connections on which they fetch the oplog: heartbeats, votes and acknowledgements keep
// their timing.
type Lags struct {
	// Delay makes the network delay a member's fetches that much; 0 ends it.
	Delay func(ctx context.Context, member string, by time.Duration) error
	// Members are all members of the cluster.
	Members []Member

	mu  sync.Mutex
	now map[string]time.Duration // guarded by mu
}

// Set holds a shard's data member that far behind; 0 ends it. Others return ErrUnsupported. It returns when the lag is in force: one of more
// than a few seconds builds up in little more than its own time.
func (l *Lags) Set(ctx context.Context, m Member, lag time.Duration) error {
	name := m.Node().Name
	switch {
	case lag < 0:
		return fmt.Errorf("lag %s by %s: %w: a lag is not negative", name, lag, cluster.ErrBadFault)
	case m.Node().Kind != layout.Data:
		return hint.New(fmt.Errorf("lag %s: %w", name, cluster.ErrUnsupported),
			"only members of a shard that hold data copy anything that could lag")
	case lag == 0:
		return l.end(ctx, m)
	}
	// First patience, then the lag: a fetcher that times out asks another member.
	if err := setPatience(ctx, m, lag); err != nil {
		return err
	}
	if err := l.unchain(ctx, m); err != nil {
		return err
	}
	if err := l.grow(ctx, m, l.of(name), lag); err != nil {
		return err
	}
	// A member that was just choosing whom to copy from may have chosen this one meanwhile.
	return l.unchain(ctx, m)
}

func (l *Lags) of(member string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now[member]
}

// Heal heals the network, after which no member lags any more.
func (l *Lags) Heal(ctx context.Context, network func() error) error {
	l.mu.Lock()
	before := l.now
	l.now = nil
	err := network()
	l.mu.Unlock()
	if err != nil {
		return err
	}
	var problems []error
	for _, m := range l.Members {
		if _, lagging := before[m.Node().Name]; lagging {
			problems = append(problems, setPatience(ctx, m, 0))
		}
	}
	return errors.Join(problems...)
}

// Again is for a member that was started again: its fetcher begins anew, so the lag does as well.
func (l *Lags) Again(ctx context.Context, m Member) error {
	lag := l.of(m.Node().Name)
	if lag == 0 {
		return nil
	}
	if err := l.change(ctx, m, lag, 0); err != nil {
		return err
	}
	if err := setPatience(ctx, m, lag); err != nil {
		return err
	}
	return l.grow(ctx, m, 0, lag)
}

// An oplog fetcher gives up a stream that is silent for oplogNetworkTimeoutBufferSeconds (5 s; it cannot be changed while
// the server runs) longer than half an election timeout, and begins again. So a lag grows in steps that are shorter,
// with pauses in which something arrives. It could not grow faster than time passes anyway.
const (
	lagStep  = 2 * time.Second
	lagPause = 2500 * time.Millisecond
)

// grow raises the lag step by step, or lowers it at once. It stops when somebody else changes it meanwhile.
func (l *Lags) grow(ctx context.Context, m Member, now, lag time.Duration) error {
	for {
		next := min(now+lagStep, lag)
		if err := l.change(ctx, m, now, next); err != nil {
			return fmt.Errorf("lag %s: %w", m.Node().Name, err)
		}
		if now = next; now == lag {
			return nil
		}
		if !pace.Pause(ctx, lagPause) {
			return fmt.Errorf("lag %s: it is at %s: %w", m.Node().Name, now, context.Cause(ctx))
		}
	}
}

func (l *Lags) change(ctx context.Context, m Member, from, to time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := m.Node().Name
	if now := l.now[name]; now != from {
		return fmt.Errorf("somebody else has changed it to %s", now)
	}
	if err := l.Delay(ctx, name, to); err != nil {
		return err
	}
	if l.now == nil {
		l.now = map[string]time.Duration{}
	}
	l.now[name] = to
	return nil
}

func (l *Lags) end(ctx context.Context, m Member) error {
	name := m.Node().Name
	l.mu.Lock()
	_, lagging := l.now[name]
	delete(l.now, name)
	err := l.Delay(ctx, name, 0)
	l.mu.Unlock()
	if err != nil {
		return fmt.Errorf("end lag of %s: %w", name, err)
	}
	if !lagging {
		return nil
	}
	return setPatience(ctx, m, 0)
}

// The server's own values of how long an oplog fetcher waits for the answer to its first request.
const (
	oplogInitialFind = 60 * time.Second
	oplogRetriedFind = 2 * time.Second
)

// setPatience lets a member wait for delayed oplog entries that much longer than it would.
func setPatience(ctx context.Context, m Member, lag time.Duration) error {
	if !m.Running() {
		return nil // Again does it
	}
	return m.Run(ctx, bson.D{
		{Key: "setParameter", Value: 1},
		{Key: "oplogInitialFindMaxSeconds", Value: seconds(oplogInitialFind + 2*lag)},
		{Key: "oplogRetriedFindMaxSeconds", Value: seconds(oplogRetriedFind + 2*lag)},
	}, nil)
}

// seconds rounds up.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

const (
	// unchainWithin bounds the wait for members to copy from somebody else. A member changes over with the next answer of the old source, which may
	// take half an election timeout; one that cannot reach the primary stays where it is.
	unchainWithin = 10 * time.Second
	unchainPause  = 200 * time.Millisecond
)

// unchain moves members that copy from the lagging one to its primary: the lag is to be that member's alone. It returns when they have changed over.
func (l *Lags) unchain(ctx context.Context, lagging Member) error {
	deadline := time.Now().Add(unchainWithin)
	return Await(ctx, unchainPause, "move members that copy from "+lagging.Node().Name, func(*error) (bool, error) {
		chained, err := l.askToUnchain(ctx, lagging)
		return !chained || time.Now().After(deadline), err
	})
}

// askToUnchain asks each member that copies from the lagging one to copy from the primary, and tells whether there was one.
func (l *Lags) askToUnchain(ctx context.Context, lagging Member) (chained bool, err error) {
	for _, m := range l.Members {
		if n := m.Node(); n.Set != lagging.Node().Set || m == lagging || n.Kind != layout.Data || !m.Running() {
			continue
		}
		status, err := Ask(ctx, m)
		if err != nil {
			return chained, err
		}
		primary := status.primary()
		if status.SyncSource != lagging.Advertised() || primary == "" {
			continue
		}
		chained = true
		if err := m.Run(ctx, bson.D{{Key: "replSetSyncFrom", Value: primary}}, nil); err != nil {
			return chained, err
		}
	}
	return chained, nil
}
