package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// actWithin bounds an action. One whose page has gone is done all the same.
const actWithin = 60 * time.Second

// An order is what an action is asked for; each action uses some of it.
type order struct {
	City   string                `json:"city"`
	SKU    string                `json:"sku"`
	Token  bool                  `json:"token"`
	On     bool                  `json:"on"`
	DC     topology.DatacenterID `json:"dc"`
	Shard  topology.ShardID      `json:"shard"`
	Member string                `json:"member"`
	// Lag is written as Go writes durations.
	Lag string `json:"lag"`
}

type trafficView struct {
	On bool `json:"on"`
}

// actions are what the page's buttons do.
func (d *Dashboard) actions() http.Handler {
	mux := http.NewServeMux()
	on := func(path string, act func(ctx context.Context, id int, o order) (any, error)) {
		mux.HandleFunc("POST /api/"+path, func(w http.ResponseWriter, r *http.Request) { d.act(w, r, act) })
	}
	on("hello", func(context.Context, int, order) (any, error) { return nil, nil }) // the page asks whether its token is right
	on("shoppers", func(ctx context.Context, _ int, o order) (any, error) { return d.newShopper(ctx, o.City) })
	on("shoppers/{id}/items", func(ctx context.Context, id int, o order) (any, error) { return d.addItem(ctx, id, o.SKU) })
	on("shoppers/{id}/travel", func(ctx context.Context, id int, o order) (any, error) { return d.travel(ctx, id, o.City) })
	on("shoppers/{id}/read", func(ctx context.Context, id int, o order) (any, error) { return d.readCart(ctx, id, o.Token) })
	on("notices", func(ctx context.Context, _ int, o order) (any, error) { return nil, d.delay(ctx, o.DC, o.SKU) })
	on("traffic", func(_ context.Context, _ int, o order) (any, error) {
		d.Steady(o.On)
		return nil, nil
	})
	on("faults/kill", func(ctx context.Context, _ int, o order) (any, error) { return nil, d.killPrimary(ctx, o.Shard) })
	on("faults/start", func(ctx context.Context, _ int, o order) (any, error) { return nil, d.startMember(ctx, o.Member) })
	on("faults/isolate", func(ctx context.Context, _ int, o order) (any, error) { return nil, d.isolate(ctx, o.DC) })
	on("faults/heal", func(ctx context.Context, _ int, _ order) (any, error) { return nil, d.heal(ctx) })
	on("faults/lag", func(ctx context.Context, _ int, o order) (any, error) { return nil, d.lag(ctx, o.Member, o.Lag) })
	return mux
}

func (d *Dashboard) act(w http.ResponseWriter, r *http.Request, act func(ctx context.Context, id int, o order) (any, error)) {
	var o order
	decode := json.NewDecoder(r.Body)
	decode.DisallowUnknownFields()
	if err := decode.Decode(&o); err != nil {
		refuse(w, http.StatusBadRequest, "the request is no JSON of this API: "+err.Error(), "use the page that this server sends")
		return
	}
	id := -1
	if text := r.PathValue("id"); text != "" {
		var err error
		if id, err = strconv.Atoi(text); err != nil {
			refuse(w, http.StatusNotFound, errNobody.Error(), "shoppers have numbers")
			return
		}
	}
	ctx, cancel := context.WithTimeout(d.life, actWithin)
	defer cancel()
	result, err := act(ctx, id, o)
	if err != nil {
		d.tell(bad, err.Error())
		status, help := explain(err)
		refuse(w, status, err.Error(), help)
		return
	}
	if result == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(result) // the client may be gone
}

// explain finds the status and the way out of an error.
func explain(err error) (status int, help string) {
	help = hint.Of(err)
	var problem *problemError
	switch {
	case errors.As(err, &problem):
		return http.StatusBadGateway, "the line in the list of requests says who answered"
	case errors.Is(err, errNobody), errors.Is(err, errCity), errors.Is(err, topology.ErrUnknownMember), errors.Is(err, topology.ErrUnknownDatacenter):
		return http.StatusNotFound, help
	case errors.Is(err, errShoppers):
		return http.StatusConflict, "let one of those who are there shop on"
	case errors.Is(err, errNoPrimary):
		return http.StatusConflict, "wait for the election, or start its members"
	case errors.Is(err, errLag), errors.Is(err, cart.ErrInvalid), errors.Is(err, cluster.ErrUnsupported):
		return http.StatusBadRequest, help
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, "it may still come about: the page shows it then"
	default:
		return http.StatusInternalServerError, help
	}
}

var (
	errNoPrimary = errors.New("the shard has no primary now")
	errLag       = errors.New("a lag is between 0 and 30 seconds")
)

// mostLag keeps a member inside the oplog, and the page's patience.
const mostLag = 30 * time.Second

// broke tells what somebody did, and makes the page look often.
func (d *Dashboard) broke(began time.Time, err error, format string, a ...any) error {
	d.wake()
	if err == nil {
		d.tell(done, fmt.Sprintf(format, a...)+fmt.Sprintf(" (%s)", d.o.Now().Sub(began).Round(time.Millisecond)))
	}
	return err
}

func (d *Dashboard) killPrimary(ctx context.Context, shard topology.ShardID) error {
	began := d.o.Now()
	status, err := d.o.World.Cluster().Status(ctx)
	if err != nil {
		return err
	}
	primary, ok := status.Primary(shard)
	if !ok {
		return fmt.Errorf("%s: %w", printable(string(shard)), errNoPrimary)
	}
	return d.broke(began, d.o.World.Cluster().Kill(ctx, primary.Name), "killed %s, the primary of %s (SIGKILL)", primary.Name, shard)
}

func (d *Dashboard) startMember(ctx context.Context, member string) error {
	began := d.o.Now()
	d.wake()
	return d.broke(began, d.o.World.Cluster().Start(ctx, member), "started %s", member)
}

func (d *Dashboard) isolate(ctx context.Context, dc topology.DatacenterID) error {
	return d.broke(d.o.Now(), cluster.Isolate(ctx, d.o.World.Cluster(), dc), "cut %s off from all other datacenters", dc)
}

func (d *Dashboard) heal(ctx context.Context) error {
	return d.broke(d.o.Now(), d.o.World.Cluster().Heal(ctx), "healed all links, and ended all lags")
}

func (d *Dashboard) lag(ctx context.Context, member, text string) error {
	began := d.o.Now()
	by, err := time.ParseDuration(text)
	if err != nil || by < 0 || by > mostLag {
		return fmt.Errorf("%w: %q", errLag, printable(text))
	}
	d.wake()
	return d.broke(began, d.o.World.Cluster().SetLag(ctx, member, by), "%s is held %s behind", member, by)
}
