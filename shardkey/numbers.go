package shardkey

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/big"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// compareNumbers compares by exact value; converting an int64 to a double would make 2^53+1 equal to 2^53.
func compareNumbers(a, b bson.RawValue) int {
	if a.Type == bson.TypeDecimal128 || b.Type == bson.TypeDecimal128 {
		return compareExactly(exactOf(a), exactOf(b))
	}
	switch {
	case a.Type == bson.TypeDouble && b.Type == bson.TypeDouble:
		// cmp.Compare has the server's order: NaN equals NaN and is below all else, -0 equals 0.
		return cmp.Compare(doubleOf(a), doubleOf(b))
	case a.Type == bson.TypeDouble:
		return -compareIntToDouble(integerOf(b), doubleOf(a))
	case b.Type == bson.TypeDouble:
		return compareIntToDouble(integerOf(a), doubleOf(b))
	default:
		return cmp.Compare(integerOf(a), integerOf(b))
	}
}

func compareIntToDouble(i int64, d float64) int {
	switch {
	case math.IsNaN(d) || d < -(1<<63):
		return 1
	case d >= 1<<63:
		return -1
	}
	whole := math.Trunc(d)
	if c := cmp.Compare(i, int64(whole)); c != 0 {
		return c
	}
	return cmp.Compare(whole, d)
}

func integerOf(v bson.RawValue) int64 {
	if v.Type == bson.TypeInt32 {
		return int64(int32(little32(v.Value)))
	}
	return int64(little64(v.Value))
}

func doubleOf(v bson.RawValue) float64 { return math.Float64frombits(little64(v.Value)) }

// exact is a number without any rounding: coefficient * 10^exponent10 * 2^exponent2. What is not finite has no coefficient, and a limit instead.
type exact struct {
	limit                 float64
	coefficient           *big.Int
	exponent10, exponent2 int
}

func exactOf(v bson.RawValue) exact {
	switch v.Type {
	case bson.TypeDecimal128:
		return exactDecimal(decimalOf(v))
	case bson.TypeDouble:
		return exactDouble(doubleOf(v))
	default:
		return exact{coefficient: big.NewInt(integerOf(v))}
	}
}

func decimalOf(v bson.RawValue) bson.Decimal128 {
	if len(v.Value) < 16 {
		return bson.Decimal128{}
	}
	return bson.NewDecimal128(little64(v.Value[8:]), little64(v.Value))
}

// decimalLimit is the first coefficient that Decimal128 cannot have; the standard reads larger ones as zero.
var decimalLimit = powerOf10(34)

func powerOf10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

func exactDecimal(d bson.Decimal128) exact {
	if d.IsNaN() {
		return exact{limit: math.NaN()}
	}
	if sign := d.IsInf(); sign != 0 {
		return exact{limit: math.Inf(sign)}
	}
	coefficient, exponent, err := d.BigInt()
	if err != nil || coefficient.CmpAbs(decimalLimit) >= 0 {
		return exact{coefficient: new(big.Int)}
	}
	return exact{coefficient: coefficient, exponent10: exponent}
}

func exactDouble(d float64) exact {
	if math.IsNaN(d) || math.IsInf(d, 0) {
		return exact{limit: d}
	}
	fraction, exponent := math.Frexp(d)
	// A double has 53 significant bits, so this conversion is exact.
	return exact{coefficient: big.NewInt(int64(fraction * (1 << 53))), exponent2: exponent - 53}
}

func compareExactly(a, b exact) int {
	if a.coefficient == nil || b.coefficient == nil {
		return cmp.Compare(a.limit, b.limit) // as the server has it: NaN, -Infinity, all that is finite (0 here), Infinity
	}
	if c := cmp.Compare(a.coefficient.Sign(), b.coefficient.Sign()); c != 0 {
		return c
	}
	if a.exponent10 == b.exponent10 && a.exponent2 == b.exponent2 {
		return a.coefficient.Cmp(b.coefficient)
	}
	return a.scaled(b).Cmp(b.scaled(a))
}

// scaled is the coefficient multiplied by the powers that a has more than other, so that two numbers scaled by each other
// compare as integers.
func (a exact) scaled(other exact) *big.Int {
	scaled := new(big.Int).Set(a.coefficient)
	if more := a.exponent10 - other.exponent10; more > 0 {
		scaled.Mul(scaled, powerOf10(more))
	}
	if more := a.exponent2 - other.exponent2; more > 0 {
		scaled.Lsh(scaled, uint(more))
	}
	return scaled
}

func bitsOfInt(i int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(i)) }
