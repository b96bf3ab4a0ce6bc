package testkit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// A Ledger counts a load's writes by key: those that were acknowledged, and those that ended in an error, of which nobody knows whether they were
// done. In the end [Ledger.Compare] holds it against what is there. A key is whatever can be counted: a counter, a thing in a cart, the _id of a document.
// The zero value is empty; it may be used side by side.
type Ledger struct {
	mu                    sync.Mutex
	acknowledged, unknown map[string]int // guarded by mu; by key
	sum, failed           int            // guarded by mu
	last                  error          // guarded by mu; of the unknown ones
}

// Note counts n things that one write did to a key: acknowledged when err is nil, else of unknown outcome.
func (l *Ledger) Note(key string, n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.acknowledged == nil {
		l.acknowledged, l.unknown = map[string]int{}, map[string]int{}
	}
	if err != nil {
		l.unknown[key] += n
		l.failed++
		l.last = err
		return
	}
	l.acknowledged[key] += n
	l.sum += n
}

// Acknowledged returns how many things were acknowledged so far.
func (l *Ledger) Acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sum
}

// Failed returns how many writes ended in an error so far, and the last one's.
func (l *Ledger) Failed() (writes int, last error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed, l.last
}

// Sums are what a comparison of a [Ledger] with what is there has found.
type Sums struct {
	// Acknowledged, Unknown and There are the things of all keys.
	Acknowledged, Unknown, There int
	// Lost were acknowledged and are not there. Doubled are there above all that was ever sent.
	Lost, Doubled int
	// Wrong says of each key that lost or doubled what it has and should have.
	Wrong []string
}

// String returns one line.
func (s Sums) String() string {
	return fmt.Sprintf("%d acknowledged and %d of unknown outcome, %d there: %d lost, %d doubled", s.Acknowledged, s.Unknown, s.There, s.Lost, s.Doubled)
}

// Err is nil when nothing is lost or doubled.
func (s Sums) Err() error {
	if len(s.Wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%s\n%s", s, strings.Join(s.Wrong, "\n"))
}

// Compare counts what is there, by key, against what was noted. Each key has to have at least what was acknowledged, and at most what was of unknown
// outcome more; a key that nobody wrote has to have nothing.
func (l *Ledger) Compare(there map[string]int) (s Sums) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string]int{}
	for _, m := range []map[string]int{l.acknowledged, l.unknown, there} {
		maps.Copy(all, m)
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		n, least := there[key], l.acknowledged[key]
		most := least + l.unknown[key]
		s.Acknowledged, s.Unknown, s.There = s.Acknowledged+least, s.Unknown+most-least, s.There+n
		s.Lost, s.Doubled = s.Lost+max(0, least-n), s.Doubled+max(0, n-most)
		if n < least || n > most {
			s.Wrong = append(s.Wrong, fmt.Sprintf("%s: %d there, want %d to %d", key, n, least, most))
		}
	}
	return s
}
