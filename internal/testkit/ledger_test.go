package testkit_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/geoshard/geoshard/internal/testkit"
)

var errAway = errors.New("no primary")

// The comparison is given databases with one fault each.
func TestLedgerCheckerCanFail(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(there map[string]int)
		want  testkit.Sums
	}{
		{"nothing is wrong, of two that failed one is there", func(map[string]int) {}, testkit.Sums{Acknowledged: 4, Unknown: 2, There: 5}},
		{"none of the failed is there", func(there map[string]int) { there["a"] = 2 }, testkit.Sums{Acknowledged: 4, Unknown: 2, There: 4}},
		{"one is lost", func(there map[string]int) { there["b"] = 1 }, testkit.Sums{Acknowledged: 4, Unknown: 2, There: 4, Lost: 1, Wrong: []string{"b: 1 there, want 2 to 2"}}},
		{"a key is lost", func(there map[string]int) { delete(there, "b") }, testkit.Sums{Acknowledged: 4, Unknown: 2, There: 3, Lost: 2, Wrong: []string{"b: 0 there, want 2 to 2"}}},
		{"one is doubled", func(there map[string]int) { there["b"] = 3 }, testkit.Sums{Acknowledged: 4, Unknown: 2, There: 6, Doubled: 1, Wrong: []string{"b: 3 there, want 2 to 2"}}},
		{"a failed one is doubled", func(there map[string]int) { there["a"] = 4 }, testkit.Sums{Acknowledged: 4, Unknown: 2, There: 6, Doubled: 1, Wrong: []string{"a: 4 there, want 2 to 3"}}},
		{"what only failed is doubled", func(there map[string]int) { there["c"] = 2 }, testkit.Sums{Acknowledged: 4, Unknown: 2, There: 7, Doubled: 1, Wrong: []string{"c: 2 there, want 0 to 1"}}},
		{"one from nowhere", func(there map[string]int) { there["d"] = 1 }, testkit.Sums{Acknowledged: 4, Unknown: 2, There: 6, Doubled: 1, Wrong: []string{"d: 1 there, want 0 to 0"}}},
		{"the sum agrees and the keys do not", func(there map[string]int) { there["b"], there["d"] = 1, 1 },
			testkit.Sums{Acknowledged: 4, Unknown: 2, There: 5, Lost: 1, Doubled: 1, Wrong: []string{"b: 1 there, want 2 to 2", "d: 1 there, want 0 to 0"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l testkit.Ledger
			l.Note("a", 2, nil)
			l.Note("a", 1, errAway)
			l.Note("b", 1, nil)
			l.Note("b", 1, nil)
			l.Note("c", 1, errAway)
			there := map[string]int{"a": 3, "b": 2}
			c.spoil(there)
			got := l.Compare(there)
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if (got.Err() == nil) != (len(c.want.Wrong) == 0) {
				t.Errorf("got error %v for %d wrong keys", got.Err(), len(c.want.Wrong))
			}
			if failed, last := l.Failed(); failed != 2 || !errors.Is(last, errAway) {
				t.Errorf("got %d failed writes, the last with %v", failed, last)
			}
		})
	}
}

// A load counts each write once, goes on while some fail, and its last writes are finished when it has stopped.
func TestALoadIsCountedToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		there, under := map[string]*atomic.Int64{"w0": {}, "w1": {}, "w2": {}}, atomic.Int64{}
		l := testkit.Drive(t, 3, 10*time.Millisecond, func(ctx context.Context, writer, n int) (string, error) {
			under.Add(1)
			defer under.Add(-1)
			key := fmt.Sprintf("w%d", writer)
			if !testkit.Pause(ctx, 3*time.Millisecond) {
				t.Error("a write was broken off")
			}
			if n%5 == 4 { // done half of the times
				there[key].Add(int64(n / 5 % 2))
				return key, errAway
			}
			there[key].Add(1)
			return key, nil
		})
		l.GoesOn(t, 100)
		before := l.Acknowledged()
		l.GoesOn(t, 10)
		if got := l.Acknowledged(); got < before+10 {
			t.Errorf("got %d more, want 10", got-before)
		}
		l.Stop()
		if n := under.Load(); n != 0 {
			t.Errorf("%d writes are still under way", n)
		}
		found := map[string]int{}
		for key, n := range there {
			found[key] = int(n.Load())
		}
		sums := l.Compare(found)
		if err := sums.Err(); err != nil || sums.There <= sums.Acknowledged || sums.Unknown == 0 {
			t.Errorf("got %s, %v", sums, err)
		}
		found["w1"]--
		found["w1"] -= sums.Unknown
		if l.Compare(found).Err() == nil {
			t.Error("a loss was not seen")
		}
	})
}
