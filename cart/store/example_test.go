package store_test

import (
	"fmt"

	"github.com/geoshard/geoshard/cart/store"
)

func ExampleNamespaces() {
	for _, ns := range store.Namespaces("shop", "dataCenter") {
		fmt.Println(ns.Name, ns.Key)
	}
	// Output:
	// shop.carts {dataCenter: 1, cartId: 1}
	// shop.orders {dataCenter: 1, orderId: 1}
	// shop.stock {dataCenter: 1, sku: 1}
	// shop.catalogue {dataCenter: 1, sku: 1}
	// shop.notices {dataCenter: 1, seq: 1}
	// shop.cursors {dataCenter: 1, name: 1}
}
