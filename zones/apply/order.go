package apply

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/geoshard/geoshard/zones"
)

// maxTogether is how many steps Apply makes at the same time. Over a link of 76 ms a step takes about 0.6 s, nearly all of it round trips; the config
// servers make zone changes one after the other, so more at a time would only wait there.
const maxTogether = 32

// An orderedStep is a step of a plan with its level: steps of one level do not depend on each other.
type orderedStep struct {
	zones.Step
	level int
}

// inOrder sorts the steps of a plan as Apply makes them. A plan lists collection after collection, for people; what is done to one collection does not
// wait for another one. These dependencies stay:
//
//   - a step of a collection comes after those before it of the same collection, except that ranges are removed, or added, in any order among themselves;
//   - shards enter and leave zones before everything that the plan has after that, and after everything that it has before;
//   - so do validators, except that of a collection that is sharded after it.
func inOrder(steps []zones.Step) []orderedStep {
	l := leveller{collections: map[string]spot{}, sharded: map[string]int{}}
	for i, step := range steps {
		if c, ok := step.Change.(zones.ShardCollection); ok {
			l.sharded[c.Collection] = i
		}
	}
	ordered := make([]orderedStep, len(steps))
	for i, step := range steps {
		ordered[i] = orderedStep{step, l.level(i, step.Change)}
		l.top = max(l.top, ordered[i].level)
	}
	slices.SortStableFunc(ordered, func(a, b orderedStep) int { return cmp.Compare(a.level, b.level) })
	return ordered
}

// A spot is where a collection, or the whole plan, has come to.
type spot struct {
	// kind is the type of the changes of one level that may stand side by side; nil for a change that stands alone.
	kind  reflect.Type
	level int
}

// A leveller gives each step its level, in the order of the plan.
type leveller struct {
	top         int // the highest level so far
	barrier     spot
	collections map[string]spot
	sharded     map[string]int // the step that shards a collection
}

func (l *leveller) level(i int, c zones.Change) int {
	kind, collection := reflect.TypeOf(c), zones.SubjectOf(c).Collection
	switch c.(type) {
	case zones.AddShardToZone, zones.RemoveShardFromZone:
		return l.wall(kind)
	case zones.SetValidator:
		if at, later := l.sharded[collection]; !later || at < i {
			return l.wall(kind)
		}
		return l.of(collection, nil)
	case zones.RemoveRange, zones.AddRange:
		return l.of(collection, kind)
	default:
		return l.of(collection, nil)
	}
}

// wall is the level of a step that everything before and after waits for, together with its like.
func (l *leveller) wall(kind reflect.Type) int {
	if l.barrier.kind != kind || l.barrier.level != l.top {
		l.barrier = spot{kind, l.top + 1}
	}
	return l.barrier.level
}

func (l *leveller) of(collection string, kind reflect.Type) int {
	at := l.collections[collection]
	if kind == nil || at.kind != kind || at.level <= l.barrier.level {
		at = spot{kind, max(at.level, l.barrier.level) + 1}
		l.collections[collection] = at
	}
	return at.level
}

// group is how many steps, of those that are left, are made together: some of the first one's level.
func group(left []orderedStep) int {
	for i, step := range left {
		if i == maxTogether || step.level != left[0].level {
			return i
		}
	}
	return len(left)
}
