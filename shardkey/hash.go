package shardkey

import (
	"crypto/md5"
	"encoding/binary"
	"hash"
	"math"
	"math/big"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Hash is the value under which a hashed index, and so a hashed shard key, files v: the first 8 bytes, little endian, of the MD5 of a
// seed (0), the canonical type and the value (BSONElementHasher in the server). Numbers become 64-bit integers first, so 2, 2.0 and 2.9
// share a hash (but the decimal 2.9 has that of 3: the server rounds those); in objects and arrays the field names are digested too.
func Hash(v bson.RawValue) int64 {
	digest := md5.New()
	digest.Write(make([]byte, 4)) // the seed of every hashed index is 0
	hashValue(digest, nil, v)
	return int64(binary.LittleEndian.Uint64(digest.Sum(nil)))
}

// hashValue digests one element; name is nil for the outermost, else it includes its final zero byte.
func hashValue(digest hash.Hash, name []byte, v bson.RawValue) {
	digest.Write(binary.LittleEndian.AppendUint32(nil, uint32(canonicalTypes[v.Type])))
	digest.Write(name)
	switch v.Type {
	case bson.TypeInt32, bson.TypeInt64, bson.TypeDouble, bson.TypeDecimal128:
		digest.Write(binary.LittleEndian.AppendUint64(nil, uint64(integerForHash(v))))
	case bson.TypeEmbeddedDocument, bson.TypeArray:
		hashDocument(digest, v.Value)
	case bson.TypeCodeWithScope:
		code, scope := splitCodeWithScope(v.Value)
		digest.Write(code)
		digest.Write([]byte{0})
		hashDocument(digest, scope)
	default:
		digest.Write(v.Value)
	}
}

func hashDocument(digest hash.Hash, doc []byte) {
	for name, value := range Elements(doc) {
		hashValue(digest, append(name[:len(name):len(name)], 0), value)
	}
	hashValue(digest, nil, bson.RawValue{}) // the end-of-object mark counts as an element
}

// integerForHash is the server's safeNumberLongForHash: doubles towards zero, decimals to the nearest (ties to even), saturating, NaN as 0.
func integerForHash(v bson.RawValue) int64 {
	switch v.Type {
	case bson.TypeDouble:
		return truncateDouble(doubleOf(v))
	case bson.TypeDecimal128:
		number := exactDecimal(decimalOf(v))
		if number.coefficient == nil {
			return truncateDouble(number.limit)
		}
		return number.rounded()
	default:
		return integerOf(v)
	}
}

func truncateDouble(d float64) int64 {
	switch {
	case math.IsNaN(d):
		return 0
	case d > 1<<63:
		return math.MaxInt64
	case d == 1<<63 || d < -(1<<63):
		// Not a slip: of the positive one the server keeps what x86 makes of this one conversion, since hashes are on disk.
		return math.MinInt64
	}
	return int64(d)
}

// rounded is a decimal as the nearest integer, saturated to 64 bits.
func (a exact) rounded() int64 {
	if a.coefficient.Sign() == 0 {
		return 0
	}
	var whole *big.Int
	if a.exponent10 >= 0 {
		whole = new(big.Int).Mul(a.coefficient, powerOf10(a.exponent10))
	} else {
		whole = nearest(a.coefficient, powerOf10(-a.exponent10))
	}
	switch {
	case whole.IsInt64():
		return whole.Int64()
	case whole.Sign() < 0:
		return math.MinInt64
	default:
		return math.MaxInt64
	}
}

// nearest divides and rounds, ties to even.
func nearest(dividend, divisor *big.Int) *big.Int {
	whole, rest := new(big.Int).QuoRem(dividend, divisor, new(big.Int))
	half := rest.Lsh(rest, 1).CmpAbs(divisor)
	if half > 0 || half == 0 && whole.Bit(0) == 1 {
		whole.Add(whole, big.NewInt(int64(dividend.Sign())))
	}
	return whole
}
