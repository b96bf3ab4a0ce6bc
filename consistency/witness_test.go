package consistency

import (
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/address"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/tag"
)

func raw(t *testing.T, doc bson.D) bson.Raw {
	t.Helper()
	b, err := bson.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func hears(o *options.ClientOptions, host, kind, dc string) {
	d := event.ServerDescription{Kind: kind}
	if dc != "" {
		d.Tags = tag.Set{{Name: "dc", Value: dc}}
	}
	o.ServerMonitor.ServerDescriptionChanged(&event.ServerDescriptionChangedEvent{Address: address.Address(host), NewDescription: d})
}

// answers lets the monitors see a command that is sent with these fields and answered at the time.
func answers(t *testing.T, o *options.ClientOptions, host string, id int64, command bson.D, at uint32) Sighting {
	t.Helper()
	ctx, watch := Observe(t.Context())
	o.Monitor.Started(ctx, &event.CommandStartedEvent{Command: raw(t, command), CommandName: "find", RequestID: id, ConnectionID: host + "[-7]"})
	reply := bson.D{{Key: "operationTime", Value: bson.Timestamp{T: at}}, {Key: "$clusterTime", Value: bson.D{{Key: "clusterTime", Value: bson.Timestamp{T: at + 1}}}}}
	o.Monitor.Succeeded(ctx, &event.CommandSucceededEvent{CommandFinishedEvent: event.CommandFinishedEvent{CommandName: "find", RequestID: id, ConnectionID: host + "[-7]"}, Reply: raw(t, reply)})
	s, ok := watch.Last()
	if !ok || len(watch.All()) != 1 {
		t.Fatalf("got %v", watch.All())
	}
	return s
}

func TestAWitnessKnowsMembersFromRouters(t *testing.T) {
	w, before := NewWitness(), 0
	o := options.Client().SetMonitor(&event.CommandMonitor{Started: func(context.Context, *event.CommandStartedEvent) { before++ }})
	w.Attach(o)
	hears(o, "a:1", "RSSecondary", "LON")
	hears(o, "b:2", "RSPrimary", "NYC")
	hears(o, "r:3", "Mongos", "")
	hears(o, "a:1", "Unknown", "") // away for a moment
	afterClusterTime := bson.D{{Key: "readConcern", Value: bson.D{{Key: "afterClusterTime", Value: bson.Timestamp{T: 90}}}}}
	tags := func(mode string, sets ...bson.D) bson.D {
		return bson.D{{Key: "$readPreference", Value: bson.D{{Key: "mode", Value: mode}, {Key: "tags", Value: sets}}}}
	}
	london := bson.D{{Key: "dc", Value: "LON"}}
	for i, c := range []struct {
		name, host string
		command    bson.D
		want       Sighting
	}{
		{"a member's first answer proves nothing about what it read", "a:1", bson.D{}, Sighting{Member: true, Datacenter: "LON"}},
		{"its second has all that it said with the first", "a:1", bson.D{}, Sighting{Member: true, Datacenter: "LON", Floor: bson.Timestamp{T: 100}}},
		{"a primary", "b:2", afterClusterTime, Sighting{Member: true, Primary: true, Datacenter: "NYC", Floor: bson.Timestamp{T: 90}}},
		{"a router: nothing", "r:3", bson.D{}, Sighting{}},
		{"a router: what was demanded", "r:3", afterClusterTime, Sighting{Floor: bson.Timestamp{T: 90}}},
		{"a router: one place by its tag", "r:3", tags("nearest", london), Sighting{Datacenter: "LON"}},
		{"a router: one place or any", "r:3", tags("nearest", london, bson.D{}), Sighting{}},
		{"a router: a secondary there or the primary anywhere", "r:3", tags("secondaryPreferred", london), Sighting{}},
		{"somebody nobody spoke of", "x:9", bson.D{}, Sighting{}},
	} {
		c.want.Command, c.want.Server, c.want.OperationTime = "find", c.host, bson.Timestamp{T: uint32(100 + i)}
		if got := answers(t, o, c.host, int64(i), c.command, uint32(100+i)); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
	if before == 0 || len(w.sent) != 0 {
		t.Errorf("the monitor that was there before heard %d commands; %d are still taken for unanswered", before, len(w.sent))
	}
	if got := w.Places(); got["a:1"] != "LON" || got["b:2"] != "NYC" || got["r:3"] != "" || len(got) != 3 {
		t.Errorf("got places %v", got)
	}
	if w.heardNew != (bson.Timestamp{T: 109}) {
		t.Errorf("got a newest time of %v", w.heardNew)
	}
}

func TestBoundsOfAge(t *testing.T) {
	now := time.Unix(1000, 250_000_000)
	at := func(t uint32) bson.Timestamp { return bson.Timestamp{T: t} }
	for name, c := range map[string]struct {
		s             Sighting
		proven, about time.Duration
	}{
		"nothing known":            {Sighting{OperationTime: at(990)}, -1, -1},
		"a member's word":          {Sighting{Member: true, OperationTime: at(990)}, -1, 10*time.Second + 250*time.Millisecond},
		"a member's word, earlier": {Sighting{Member: true, OperationTime: at(999), Floor: at(995)}, 5*time.Second + 250*time.Millisecond, time.Second + 250*time.Millisecond},
		"a router":                 {Sighting{OperationTime: at(999), Floor: at(995)}, 5*time.Second + 250*time.Millisecond, 5*time.Second + 250*time.Millisecond},
		"a clock ahead of ours":    {Sighting{Member: true, OperationTime: at(1003), Floor: at(1002)}, 0, 0},
	} {
		for what, want := range map[string]time.Duration{"proven": c.proven, "about": c.about} {
			const clockError = 100 * time.Millisecond
			got, ok := c.s.Behind(now, clockError)
			if what == "about" {
				got, ok = c.s.BehindAbout(now, clockError)
			}
			if ok != (want >= 0) || ok && got != want+clockError {
				t.Errorf("%s, %s: got %s, %v, want %s", name, what, got, ok, want+clockError)
			}
		}
	}
}

func TestAFailedCommandIsForgotten(t *testing.T) {
	w := NewWitness()
	o := w.Attach(options.Client())
	o.Monitor.Started(t.Context(), &event.CommandStartedEvent{Command: raw(t, bson.D{}), RequestID: 1, ConnectionID: "a:1[-1]"})
	o.Monitor.Failed(t.Context(), &event.CommandFailedEvent{CommandFinishedEvent: event.CommandFinishedEvent{RequestID: 1}})
	if len(w.sent) != 0 {
		t.Errorf("%d commands are still taken for unanswered", len(w.sent))
	}
}
