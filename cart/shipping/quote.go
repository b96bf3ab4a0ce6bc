package shipping

import "github.com/geoshard/geoshard/cart"

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
