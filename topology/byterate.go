package topology

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A ByteRate is a number of bytes per second, written like "10MB/s"; 0 means unlimited.
type ByteRate int64

// byteUnits are decimal, as network rates are, largest first so that String finds the shortest writing.
var byteUnits = []struct {
	name string
	size int64
}{{"GB/s", 1e9}, {"MB/s", 1e6}, {"KB/s", 1e3}, {"B/s", 1}}

// String writes the rate in the largest unit that needs no fraction, so that ParseByteRate reads back the same rate.
func (r ByteRate) String() string {
	for _, unit := range byteUnits {
		if r != 0 && int64(r)%unit.size == 0 {
			return strconv.FormatInt(int64(r)/unit.size, 10) + unit.name
		}
	}
	return "0B/s"
}

// ParseByteRate reads a rate such as "10MB/s", "1.5GB/s" or "800B/s". Units are decimal: 1 KB is 1000 bytes.
func ParseByteRate(s string) (ByteRate, error) {
	for _, unit := range byteUnits {
		number, found := strings.CutSuffix(s, unit.name)
		if !found {
			continue
		}
		if n, err := strconv.ParseInt(number, 10, 64); err == nil && n >= 0 && n <= math.MaxInt64/unit.size {
			return ByteRate(n * unit.size), nil
		}
		bytes, err := strconv.ParseFloat(number, 64)
		bytes *= float64(unit.size)
		// 2^63 itself is the first float that int64 cannot hold; the negated form also refuses NaN.
		if err != nil || !(bytes >= 0 && bytes < 1<<63) {
			break
		}
		return ByteRate(math.Round(bytes)), nil
	}
	return 0, fmt.Errorf("parse rate %q: want a number and B/s, KB/s, MB/s or GB/s, such as 10MB/s", excerpt(s))
}

// MarshalText writes the rate as String does.
func (r ByteRate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what ParseByteRate reads.
func (r *ByteRate) UnmarshalText(text []byte) error {
	rate, err := ParseByteRate(string(text))
	if err != nil {
		return err
	}
	*r = rate
	return nil
}
