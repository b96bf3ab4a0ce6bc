package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/redact"
	"github.com/geoshard/geoshard/topology"
)

// A Target is the shop's place in a cluster.
type Target struct {
	// URI leads to a query router. Empty = that of the local cluster Name in the datacenter.
	URI, Name string
	// World is the declared topology; nil = the local cluster's, and none where a URI is given.
	World *topology.Topology
	// Database and Field are empty for the store's defaults; the field is that of the topology's shop.carts, where there is one.
	Database, Field string
}

// complete fills in what the target leaves to the local cluster and the topology. dc may be empty: any.
func (t Target) complete(ctx context.Context, dc topology.DatacenterID) (Target, error) {
	t.Database = cmp.Or(t.Database, store.DefaultDatabase)
	if t.URI == "" {
		if err := t.attach(ctx, dc); err != nil {
			return t, err
		}
	}
	if t.Field == "" && t.World != nil {
		if ns, ok := t.World.Namespace(t.Database + ".carts"); ok {
			t.Field = ns.ZoneBy
		}
	}
	t.Field = cmp.Or(t.Field, store.DefaultField)
	return t, nil
}

func (t *Target) attach(ctx context.Context, dc topology.DatacenterID) error {
	running, err := local.Attach(ctx, t.Name, "")
	if err != nil {
		return hint.New(err, "start it with geoshard cluster up, or give the connection string of another cluster in GEOSHARD_URI")
	}
	if t.World == nil {
		t.World = running.Topology()
	}
	if dc == "" {
		i := slices.IndexFunc(t.World.Datacenters, func(dc topology.Datacenter) bool { return dc.Role != topology.RoleVoter })
		if i < 0 {
			return errors.New("the topology has no datacenter with a query router")
		}
		dc = t.World.Datacenters[i].ID
	}
	t.URI, err = running.SecretURI(dc)
	return err
}

// connect opens the shop as seen from a datacenter. The witness sees all that the client does.
func (t Target) connect(dc topology.DatacenterID, traces trace.TracerProvider) (*store.Store, *consistency.Witness, error) {
	if traces == nil {
		traces = noop.NewTracerProvider()
	}
	witness := consistency.NewWitness()
	client, err := mongo.Connect(witness.Attach(options.Client().ApplyURI(t.URI).SetAppName("cartdemo").SetMonitor(store.Traces(traces))))
	if err != nil {
		return nil, nil, fmt.Errorf("connect to %s: %w", redact.URI(t.URI), redact.Error(err, t.URI))
	}
	s, err := store.New(store.Options{Client: client, DataCenter: dc, Database: t.Database, Field: t.Field})
	if err != nil {
		_ = client.Disconnect(context.Background()) // it has done nothing
		return nil, nil, err
	}
	return s, witness, nil
}
