package homeguard

import (
	"sync"
	"sync/atomic"
	"time"
)

// verdicts counts the verdicts that there are.
const verdicts = int(VerdictUnplaced) + 1

// A tally counts. Its size does not depend on what is counted, but for the shapes, which are bounded.
type tally struct {
	// sent are the statements by command, verdict, and whether they left the datacenter.
	sent    [commands][verdicts][2]atomic.Uint64
	refused atomic.Uint64
	allowed atomic.Uint64
	// dropped are the statements whose shape was told apart no more.
	dropped atomic.Uint64

	limit  int
	other  *shapeCount
	mu     sync.RWMutex
	shapes map[string]*shapeCount // guarded by mu
}

// A shapeCount is what was counted of one shape.
type shapeCount struct {
	name string
	// sent are the statements by verdict and whether they left the datacenter.
	sent    [verdicts][2]atomic.Uint64
	refused atomic.Uint64
	allowed atomic.Uint64

	mu         sync.Mutex
	lastWarned time.Time // guarded by mu
	sinceLast  uint64    // guarded by mu
}

// otherShapes is the name under which the shapes beyond the limit are counted.
const otherShapes = "(other shapes)"

// shape returns the count of a shape, and begins one while there is room.
func (t *tally) shape(name string) *shapeCount {
	t.mu.RLock()
	found, room := t.shapes[name], len(t.shapes) < t.limit
	t.mu.RUnlock()
	if found == nil && room {
		found = t.begin(name)
	}
	if found == nil {
		t.dropped.Add(1)
		return t.other
	}
	return found
}

// begin makes the count of a shape, unless somebody else has or there is no room any more.
func (t *tally) begin(name string) *shapeCount {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shapes[name] == nil && len(t.shapes) < t.limit {
		t.shapes[name] = &shapeCount{name: name}
	}
	return t.shapes[name]
}

func (t *tally) add(c command, shape *shapeCount, j *Judgement, excused bool) {
	cross := 0
	if j.Cross {
		cross = 1
	}
	t.sent[c][j.Verdict][cross].Add(1)
	shape.sent[j.Verdict][cross].Add(1)
	if excused {
		t.allowed.Add(1)
		shape.allowed.Add(1)
	}
}

// share is how many of the judged statements left the datacenter, how many were judged, and their ratio. Statements outside of the declared namespaces are not.
func (t *tally) share() (cross, judged uint64, share float64) {
	for c := range t.sent {
		for v := range t.sent[c] {
			if Verdict(v) != VerdictOutside {
				left := t.sent[c][v][1].Load()
				cross += left
				judged += left + t.sent[c][v][0].Load()
			}
		}
	}
	if judged > 0 {
		share = float64(cross) / float64(judged)
	}
	return cross, judged, share
}

// warningDue counts a reason to warn, and says whether the time has come and for how many reasons.
func (s *shapeCount) warningDue(now time.Time, every time.Duration) (n uint64, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sinceLast++
	if !s.lastWarned.IsZero() && now.Sub(s.lastWarned) < every {
		return 0, false
	}
	n = s.sinceLast
	s.lastWarned, s.sinceLast = now, 0
	return n, true
}
