package verify

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/geoshard/geoshard/internal/enum"
	"github.com/geoshard/geoshard/topology"
)

// A Report is what Verify saw. It encodes to JSON with a hash over its content: see Read.
type Report struct {
	// Taken is when the run began.
	Taken time.Time `json:"taken"`
	// ViaRouter means that no member was asked itself.
	ViaRouter bool `json:"viaRouter,omitempty"`
	// Sample is Options.Sample.
	Sample     int         `json:"sample,omitempty"`
	Namespaces []Namespace `json:"namespaces"`
	// Residency has a row for each zone, in the order of the topology. It is empty with ViaRouter.
	Residency []Residency `json:"residency,omitempty"`
	// Warnings are about the servers' versions: what may make the proof fail, or differ from what
	// was tested.
	Warnings []string `json:"warnings,omitempty"`
	// Kept is what shards that are to be empty still have beside declared collections, whatever Options.Namespaces are.
	Kept []Kept `json:"kept,omitempty"`
	// NotChecked says what the report proves nothing about.
	NotChecked []string `json:"notChecked,omitempty"`
	// Incomplete means that members or collections could not be looked at that the options ask for. NotChecked names them.
	Incomplete bool `json:"incomplete,omitempty"`
	// UnusedHosts are the entries of Options.HostMap that no member has for its name.
	UnusedHosts []string `json:"unusedHosts,omitempty"`
}

// A Namespace is what was found of one collection.
type Namespace struct {
	Name string `json:"name"`
	// Key is the shard key, empty for a collection that is not sharded.
	Key string `json:"key,omitempty"`
	// Members are sorted by shard, secondaries first.
	Members []Member `json:"members"`
	// Leftovers are orphans on shards of their own zone, or of no zone.
	Leftovers []Leftover `json:"leftovers,omitempty"`
	// Unknown are the commonest values that the topology gives to no zone, by shard.
	Unknown []UnknownValue `json:"unknown,omitempty"`
	// Examples are sorted by shard, kind and _id.
	Examples []Example `json:"examples,omitempty"`
}

// A Role is how a member was asked.
type Role int

// The roles.
const (
	RoleUnknown Role = iota
	RolePrimary
	RoleSecondary
	// RoleRouter: the router was asked for the shard.
	RoleRouter
)

var roleNames = []string{"unknown", "primary", "secondary", "router"}

// String is "primary", "secondary" or "router".
func (r Role) String() string { return enum.Name(roleNames, r) }

// MarshalText writes the name.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a name that String wrote.
func (r *Role) UnmarshalText(text []byte) error { return enum.Unmarshal("role", roleNames, text, r) }

// A Member is what one member of a shard holds of a collection.
type Member struct {
	Shard      topology.ShardID      `json:"shard"`
	Host       string                `json:"host,omitempty"`
	Datacenter topology.DatacenterID `json:"datacenter,omitempty"`
	Role       Role                  `json:"role"`
	// Hidden members hold documents as others do, and no client reads from them.
	Hidden bool `json:"hidden,omitempty"`
	// Documents were looked at; Complete means that they are all.
	Documents int64 `json:"documents"`
	Complete  bool  `json:"complete"`
	// Zones counts them by the zone where they belong.
	Zones map[topology.ZoneID]int64 `json:"zones"`
	// Unknown are those whose value the topology gives to no zone. With unknown: zone they count as documents of that zone too.
	Unknown int64 `json:"unknown"`
	// Misplaced are documents outside their zone that the shard owns, Orphans those outside their zone that it does not own.
	Misplaced int64 `json:"misplaced"`
	Orphans   int64 `json:"orphans"`
	// Outside are more documents outside their zone. Whether the shard owns them is not known, because the router did not tell.
	Outside int64 `json:"outside,omitempty"`
	// OutsideAtMost is the largest share of documents outside their zone that the sample leaves possible, with 95 % confidence; nil where all were
	// looked at.
	OutsideAtMost *float64 `json:"outsideAtMost,omitempty"`
}

// add counts documents of a class.
func (m *Member) add(r rule, class string, count int64) {
	m.Documents += count
	if class == unknownClass {
		m.Unknown += count
	}
	if zone, ok := r.zone(class); ok && count > 0 {
		m.Zones[zone.ID] += count
	}
}

// Leftovers are documents on a shard that does not own them, where they do no harm to the placement.
type Leftover struct {
	Shard     topology.ShardID `json:"shard"`
	Documents int64            `json:"documents"`
}

// An UnknownValue is a value that the topology gives to no zone, as extended JSON.
type UnknownValue struct {
	Shard     topology.ShardID `json:"shard"`
	Value     string           `json:"value"`
	Documents int64            `json:"documents"`
}

// A Kind is a kind of document in the wrong place.
type Kind int

// The kinds.
const (
	KindUnknown Kind = iota
	// Misplaced documents are owned by a shard outside their zone.
	Misplaced
	// Orphan documents are outside their zone, on a shard that does not own them.
	Orphan
)

var kindNames = []string{"unknown", "misplaced", "orphan"}

// String is "misplaced" or "orphan".
func (k Kind) String() string { return enum.Name(kindNames, k) }

// MarshalText writes the name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a name that String wrote.
func (k *Kind) UnmarshalText(text []byte) error { return enum.Unmarshal("kind", kindNames, text, k) }

// An Example is one document in the wrong place.
type Example struct {
	Kind Kind `json:"kind"`
	// Shard holds it; Members are the hosts on which it was seen. Zone is where it belongs, Owner the shard that owns its key.
	Shard   topology.ShardID `json:"shard"`
	Members []string         `json:"members,omitempty"`
	Zone    topology.ZoneID  `json:"zone"`
	Owner   topology.ShardID `json:"owner"`
	// ID is its _id and Key its shard key, as extended JSON.
	ID  string `json:"id"`
	Key string `json:"key"`
}

func (e Example) compare(o Example) int {
	return cmp.Or(cmp.Compare(e.Shard, o.Shard), cmp.Compare(e.Kind, o.Kind), strings.Compare(e.ID, o.ID), strings.Compare(e.Key, o.Key))
}

// addExample takes an example, or the members of one that is there already, up to a number for each shard and kind.
func (n *Namespace) addExample(e Example, most int) {
	alike := 0
	for i := range n.Examples {
		known := &n.Examples[i]
		switch {
		case known.Shard != e.Shard:
		case known.ID == e.ID && known.Key == e.Key:
			for _, host := range e.Members {
				if !slices.Contains(known.Members, host) {
					known.Members = append(known.Members, host)
				}
			}
			return
		case known.Kind == e.Kind:
			alike++
		}
	}
	if alike < most {
		n.Examples = append(n.Examples, e)
	}
}

// addUnknown takes values; members of one shard have copies of the same documents, so the largest count stands.
func (n *Namespace) addUnknown(values []UnknownValue) {
	for _, v := range values {
		i := slices.IndexFunc(n.Unknown, func(o UnknownValue) bool { return o.Shard == v.Shard && o.Value == v.Value })
		if i < 0 {
			n.Unknown = append(n.Unknown, v)
			continue
		}
		n.Unknown[i].Documents = max(n.Unknown[i].Documents, v.Documents)
	}
}

func (u UnknownValue) compare(o UnknownValue) int {
	return cmp.Or(cmp.Compare(u.Shard, o.Shard), cmp.Compare(o.Documents, u.Documents), strings.Compare(u.Value, o.Value))
}

// leftovers are the documents of each shard that it does not own and that are not counted as orphans outside their zone.
func leftovers(members []Member, unowned byShard) []Leftover {
	var all []Leftover
	for i, m := range members {
		if i+1 < len(members) && members[i+1].Shard == m.Shard {
			continue // the last row of a shard is its primary's, where there is one
		}
		count, asked := unowned[m.Shard]
		if !asked {
			count = m.Documents
		}
		if count -= m.Orphans; count > 0 {
			all = append(all, Leftover{m.Shard, count})
		}
	}
	return all
}

// Totals are numbers of documents over all namespaces. Members of a shard hold copies of the same documents, so each shard counts with its member that
// has most.
type Totals struct {
	Documents int64 `json:"documents"`
	Misplaced int64 `json:"misplaced"`
	// Orphans include leftovers.
	Orphans int64 `json:"orphans"`
	// Outside are those outside their zone that may be either.
	Outside int64 `json:"outside,omitempty"`
	Unknown int64 `json:"unknown"`
}

// Totals adds up.
func (r *Report) Totals() Totals {
	var t Totals
	for _, n := range r.Namespaces {
		most := map[topology.ShardID]Totals{}
		for _, m := range n.Members {
			s := most[m.Shard]
			most[m.Shard] = Totals{max(s.Documents, m.Documents), max(s.Misplaced, m.Misplaced), max(s.Orphans, m.Orphans), max(s.Outside, m.Outside), max(s.Unknown, m.Unknown)}
		}
		for _, s := range most {
			t = Totals{t.Documents + s.Documents, t.Misplaced + s.Misplaced, t.Orphans + s.Orphans, t.Outside + s.Outside, t.Unknown + s.Unknown}
		}
		for _, l := range n.Leftovers {
			t.Orphans += l.Documents
		}
	}
	return t
}

// Clean says that nothing wrong was found, no document outside its zone, no orphan, no datacenter that is not allowed, nothing kept by a shard that is to be empty, and
// that everything could be looked at that the options ask for. What they leave out, and values that the topology does not know, are for the reader to judge: see
// NotChecked.
func (r *Report) Clean() bool { return !r.wrong() && !r.Incomplete }

// wrong says that something that was seen is not as it should be.
func (r *Report) wrong() bool {
	t := r.Totals()
	return t.Misplaced+t.Orphans+t.Outside > 0 || len(r.Kept) > 0 || slices.ContainsFunc(r.Residency, func(z Residency) bool { return len(z.Violations) > 0 })
}

// Verdict is what the report comes to, in words.
func (r *Report) Verdict() string {
	switch {
	case r.wrong():
		return "not clean"
	case r.Incomplete:
		return "not proved"
	case len(r.NotChecked) > 0:
		return "clean, as far as it was checked"
	default:
		return "clean"
	}
}
