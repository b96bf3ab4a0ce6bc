package verify

import (
	"context"
	"maps"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
)

// throughRouter counts what each shard shows through the router. Of a zone with many documents in their place it may find no example of those that are not.
func (i *inspection) throughRouter(ctx context.Context) error {
	// A silent shard would keep the router waiting without end: what takes no counting has to be answered in time.
	if _, err := i.explain(ctx, bson.E{Key: "filter", Value: bson.D{}}, "queryPlanner"); err != nil && !hasCode(err, codeNamespaceNotFound) {
		return err
	}
	rows := map[topology.ShardID]*Member{}
	for _, class := range i.rule.classes() {
		owned, err := i.countOwned(ctx, class)
		if err != nil {
			return err
		}
		wrong := false
		for shard, count := range owned {
			if rows[shard] == nil {
				rows[shard] = &Member{Shard: shard, Role: RoleRouter, Complete: true, Zones: map[topology.ZoneID]int64{}}
			}
			rows[shard].add(i.rule, class, count)
			if i.rule.outside(class, shard) {
				rows[shard].Misplaced += count
				wrong = wrong || count > 0
			}
		}
		if !wrong {
			continue
		}
		if err := i.examples(ctx, &member{client: i.router}, class); err != nil {
			return err
		}
	}
	for _, shard := range slices.Sorted(maps.Keys(rows)) {
		i.found.Members = append(i.found.Members, *rows[shard])
	}
	return nil
}
