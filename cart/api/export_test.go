package api

import (
	"context"
	"regexp"
	"slices"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/signing"
)

// ProblemNames are the names of all problems, each once.
func ProblemNames() (names []string) {
	for _, k := range slices.Concat(kinds, []kind{tooLarge, timedOut, away, internal}) {
		if !slices.Contains(names, k.name) {
			names = append(names, k.name)
		}
	}
	return names
}

// Routes are the routes that gin has, as the document writes them. They need no server.
func Routes() (routes []string) {
	client, err := mongo.Connect()
	if err != nil {
		panic(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	s, err := store.New(store.Options{Client: client, DataCenter: "LON"})
	if err != nil {
		panic(err)
	}
	key, err := signing.NewKey("k", make([]byte, 32))
	if err != nil {
		panic(err)
	}
	keys, err := signing.NewKeyring(key)
	if err != nil {
		panic(err)
	}
	a := &api{Options: Options{Store: s, Witness: consistency.NewWitness(), Keys: keys}}
	a.setDefaults()
	engine, err := a.routes()
	if err != nil {
		panic(err)
	}
	parameter := regexp.MustCompile(`:(\w+)`)
	for _, r := range engine.Routes() {
		routes = append(routes, r.Method+" "+parameter.ReplaceAllString(r.Path, "{$1}"))
	}
	return routes
}
