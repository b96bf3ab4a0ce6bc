package verify

import (
	"context"
	"fmt"
	"slices"

	"github.com/geoshard/geoshard/topology"
)

// viaRouter counts what each shard shows through the router.
func (v *verifier) viaRouter(ctx context.Context, targets []target) (*Report, error) {
	for _, t := range targets {
		n, err := v.namespaceViaRouter(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("verify %s through the router: %w", t.name, err)
		}
		v.report.Namespaces = append(v.report.Namespaces, n)
	}
	v.notChecked("orphans: the router does not show them")
	v.notChecked("secondaries: each shard was asked through the member that the router chose")
	v.notChecked("residency: which members hold documents, and in which datacenters they are, is known to the members alone")
	if v.options.Sample > 0 || v.options.Throttle > 0 {
		v.notChecked("sample and throttle have no effect through the router: everything was counted at full speed")
	}
	return v.report, nil
}

func (v *verifier) namespaceViaRouter(ctx context.Context, t target) (Namespace, error) {
	n := Namespace{Name: t.name, Key: t.keyText()}
	own := newOwnership(v.router, t)
	rows := map[topology.ShardID]*Member{}
	for _, class := range t.rule.classes() {
		owned, err := own.owned(ctx, class)
		if err != nil {
			return n, err
		}
		for shard, count := range owned {
			if rows[shard] == nil {
				rows[shard] = &Member{Shard: shard, Role: RoleRouter, Complete: true, Zones: map[topology.ZoneID]int64{}}
			}
			rows[shard].add(t.rule, class, count)
		}
		if err := v.examplesViaRouter(ctx, t, own, class, owned, &n); err != nil {
			return n, err
		}
	}
	for _, r := range rows {
		n.Members = append(n.Members, *r)
	}
	slices.SortFunc(n.Members, Member.compare)
	slices.SortFunc(n.Examples, Example.compare)
	return n, nil
}

// examplesViaRouter finds documents of a class whose owner is outside their zone. Of a zone with many documents in their place it may find none.
func (v *verifier) examplesViaRouter(ctx context.Context, t target, own *ownership, class string, owned map[topology.ShardID]int64, n *Namespace) error {
	wrong := false
	for shard, count := range owned {
		wrong = wrong || count > 0 && t.rule.outside(class, shard)
	}
	if !wrong {
		return nil
	}
	pool, err := documents(ctx, t.collection(v.router), t, class, poolOf(v.options.Examples))
	if err != nil {
		return err
	}
	for _, doc := range pool {
		owner, err := own.of(ctx, doc.Key)
		if err != nil {
			return err
		}
		if !t.rule.outside(class, owner) {
			continue
		}
		e, err := v.example(ctx, t, own, Member{Shard: owner}, class, doc)
		if err != nil {
			return err
		}
		n.addExample(e, v.options.Examples)
	}
	return nil
}
