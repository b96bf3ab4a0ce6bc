package shipping

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/pace"
)

const (
	// DefaultEvery is how often a process looks for changed carts.
	DefaultEvery = time.Second
	batch        = 200
)

// Carts are where the process finds its work and leaves it. cart/store's Store is one.
type Carts interface {
	// Unpriced are carts of the own datacenter that changed since their shipping was priced.
	Unpriced(ctx context.Context, p consistency.Profile, limit int) ([]cart.Cart, error)
	// Price writes a price onto the version that it was made from, and reports whether the cart still had it.
	Price(ctx context.Context, p consistency.Profile, h cart.Handle, price cart.Shipping) (bool, error)
}

// A Process prices the carts of one datacenter. Carts is required.
type Process struct {
	Carts Carts
	// Profile is how prices are written. A lost one is made again, so local-fast will do.
	Profile consistency.Profile
	// Every is how often it looks; 0 = DefaultEvery.
	Every time.Duration
	// Listen hears of each round; nil = nobody.
	Listen func(Round)
}

// A Round is one look at the carts.
type Round struct {
	// Priced carts have a new price; Overtaken ones changed meanwhile and come again.
	Priced, Overtaken int
	Err               error
}

// Run prices carts until the context ends. It goes on after errors.
func (p *Process) Run(ctx context.Context) {
	pace.Every(ctx, cmp.Or(p.Every, DefaultEvery), func() {
		if round := p.Once(ctx); ctx.Err() == nil && p.Listen != nil {
			p.Listen(round)
		}
	})
}

// Once prices what is due now.
func (p *Process) Once(ctx context.Context) (round Round) {
	due, err := p.Carts.Unpriced(ctx, p.Profile, batch)
	if err != nil {
		return Round{Err: fmt.Errorf("find carts to price: %w", err)}
	}
	for _, c := range due {
		written, err := p.Carts.Price(ctx, p.Profile, c.Handle, Quote(c))
		switch {
		case err != nil:
			round.Err = fmt.Errorf("price cart %s: %w", c.Handle, err)
			return round
		case written:
			round.Priced++
		default:
			round.Overtaken++
		}
	}
	return round
}

// The tariff, in minor units of whatever currency.
const (
	// perParcel is for each begun parcel, perItem for each thing in it.
	perParcel = 499
	perItem   = 50
	// parcelSize is how many things a parcel holds.
	parcelSize = 10
)

// Quote is the price of a cart's delivery from the warehouse in the cart's datacenter. Delayed items are not sent.
func Quote(c cart.Cart) cart.Shipping {
	n := c.Count()
	parcels := (n + parcelSize - 1) / parcelSize
	return cart.Shipping{
		Warehouse: string(c.DataCenter), Items: n, Cost: int64(parcels*perParcel + n*perItem), Currency: c.Currency(), Version: c.Version,
	}
}
