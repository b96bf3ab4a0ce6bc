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

// numberClass ranks what is not a finite number; the order of the constants is the server's order.
type numberClass int

const (
	notANumber numberClass = iota + 1
	minusInfinity
	finite
	plusInfinity
)

// exact is a number without any rounding: coefficient * 10^exponent10 * 2^exponent2.
type exact struct {
	class                 numberClass
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
		return exact{class: finite, coefficient: big.NewInt(integerOf(v))}
	}
}

func decimalOf(v bson.RawValue) bson.Decimal128 {
	if len(v.Value) < 16 {
		return bson.Decimal128{}
	}
	return bson.NewDecimal128(little64(v.Value[8:]), little64(v.Value))
}

// decimalLimit is the first coefficient that Decimal128 cannot have; the standard reads larger ones as zero.
var decimalLimit = new(big.Int).Exp(big.NewInt(10), big.NewInt(34), nil)

func exactDecimal(d bson.Decimal128) exact {
	switch {
	case d.IsNaN():
		return exact{class: notANumber}
	case d.IsInf() < 0:
		return exact{class: minusInfinity}
	case d.IsInf() > 0:
		return exact{class: plusInfinity}
	}
	coefficient, exponent, err := d.BigInt()
	if err != nil || coefficient.CmpAbs(decimalLimit) >= 0 {
		return exact{class: finite, coefficient: new(big.Int)}
	}
	return exact{class: finite, coefficient: coefficient, exponent10: exponent}
}

func exactDouble(d float64) exact {
	switch {
	case math.IsNaN(d):
		return exact{class: notANumber}
	case math.IsInf(d, -1):
		return exact{class: minusInfinity}
	case math.IsInf(d, 1):
		return exact{class: plusInfinity}
	}
	fraction, exponent := math.Frexp(d)
	// A double has 53 significant bits, so this conversion is exact.
	return exact{class: finite, coefficient: big.NewInt(int64(fraction * (1 << 53))), exponent2: exponent - 53}
}

func compareExactly(a, b exact) int {
	if a.class != finite || b.class != finite {
		return cmp.Compare(a.class, b.class)
	}
	if a.coefficient.Sign() != b.coefficient.Sign() {
		return cmp.Compare(a.coefficient.Sign(), b.coefficient.Sign())
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
		scaled.Mul(scaled, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(more)), nil))
	}
	if more := a.exponent2 - other.exponent2; more > 0 {
		scaled.Lsh(scaled, uint(more))
	}
	return scaled
}

func bitsOf(d float64) []byte { return bitsOfInt(int64(math.Float64bits(d))) }

func bitsOfInt(i int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(i)) }
