package zones

import (
	"crypto/sha256"
	"fmt"
)

// Hash identifies the state as far as the steps of a plan depend on it: which shards are in which zones, and of each collection its key, its ranges, its
// validator and whether it is balanced. What changes by itself has no place in it: chunks, sizes, the time, the balancer. It is a SHA-256 in
// hexadecimal digits.
//
// Collections that are not sharded and have neither ranges nor a validator do not count, so that a new collection nearby does not make a plan void.
func (s *State) Hash() string {
	sum := sha256.New()
	// Quotes, hexadecimal digits and line ends keep the parts apart: two states have the same text only if they are the same.
	fmt.Fprintf(sum, "cluster %q\n", s.ClusterID)
	for _, shard := range s.Shards {
		fmt.Fprintf(sum, "shard %q zones %q\n", shard.ID, shard.Zones)
	}
	for _, c := range s.Collections {
		if !c.Sharded && !c.View && !c.TimeSeries && len(c.Ranges) == 0 && c.Validator == nil {
			continue
		}
		fmt.Fprintf(sum, "collection %q exists %t view %t series %t sharded %t unique %t held %t\n",
			c.Name, c.Exists, c.View, c.TimeSeries, c.Sharded, c.Unique, c.NoBalance)
		for _, f := range c.Key {
			fmt.Fprintf(sum, "key %q hashed %t\n", f.Name, f.Hashed)
		}
		for _, r := range c.Ranges {
			fmt.Fprintf(sum, "range %x %x %q\n", r.Min, r.Max, r.Zone)
		}
		fmt.Fprintf(sum, "validator %x %q %q\n", c.Validator, c.ValidationLevel, c.ValidationAction)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}
