package devmongos_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// keyValues are the values that shard keys take over and over, so that operations meet existing documents, equal
// values of different types, and the borders of every type.
//
// Left out, each because the servers themselves define no single answer for it: arrays and regular expressions
// (refused in a shard key), undefined ({k: null} matches it, but it sorts elsewhere, so a targeted query may miss
// it), Timestamp(0, 0) (replaced by the server's clock), MaxKey in a one-field key (outside of every chunk; its own test).
var keyValues = func() []any {
	decimal := func(s string) bson.Decimal128 {
		d, err := bson.ParseDecimal128(s)
		if err != nil {
			panic(err)
		}
		return d
	}
	id := func(s string) bson.ObjectID {
		o, err := bson.ObjectIDFromHex(s)
		if err != nil {
			panic(err)
		}
		return o
	}
	binaryOf := func(subtype byte, data ...byte) bson.Binary { return bson.Binary{Subtype: subtype, Data: data} }
	return []any{
		bson.MinKey{}, nil,
		math.NaN(), math.Inf(-1), math.Inf(1), math.Copysign(0, -1), 0.0, 1.0, -1.5, 1.5, 1e300, -1e300, 5e-324, 9007199254740993.0, 9223372036854775807.0,
		int32(0), int32(1), int32(-1), int32(7), int32(math.MaxInt32), int32(math.MinInt32),
		int64(1), int64(7), int64(1) << 53, int64(1)<<53 + 1, -(int64(1)<<53 + 1), int64(math.MaxInt64), int64(math.MaxInt64 - 1), int64(math.MinInt64), int64(math.MinInt64 + 1),
		decimal("NaN"), decimal("Infinity"), decimal("-Infinity"), decimal("0"), decimal("-0"), decimal("0E+6000"), decimal("1"), decimal("1.0"), decimal("1.5"),
		decimal("0.1"), decimal("9007199254740993"), decimal("9223372036854775807.5"), decimal("-9223372036854775808.5"), decimal("1E+6111"), decimal("-1E-6176"),
		"", "a", "A", "ab", "b", "é", "e\u0301", "zz", "\x00", "a\x00b", "日本", strings.Repeat("x", 300), bson.Symbol("a"), bson.Symbol("sym"),
		bson.D{}, bson.D{{Key: "a", Value: int32(1)}}, bson.D{{Key: "a", Value: 1.0}}, bson.D{{Key: "b", Value: int32(1)}}, bson.D{{Key: "a", Value: nil}},
		bson.D{{Key: "a", Value: int32(1)}, {Key: "b", Value: "x"}}, bson.D{{Key: "b", Value: "x"}, {Key: "a", Value: int32(1)}},
		bson.D{{Key: "deep", Value: bson.D{{Key: "er", Value: bson.A{int32(1), "x", bson.D{}}}}}},
		binaryOf(0), binaryOf(0, 1, 2), binaryOf(2, 1, 2), binaryOf(4, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), binaryOf(5, 9), binaryOf(0x80, 1), binaryOf(0xff, 1, 2, 3), binaryOf(0, 255),
		id("000000000000000000000000"), id("507f1f77bcf86cd799439011"), id("ffffffffffffffffffffffff"),
		false, true,
		bson.DateTime(0), bson.DateTime(-1), bson.DateTime(1700000000000), bson.DateTime(math.MinInt64), bson.DateTime(math.MaxInt64),
		bson.Timestamp{T: 1, I: 1}, bson.Timestamp{T: math.MaxUint32, I: math.MaxUint32}, bson.Timestamp{T: 1 << 31, I: 0},
		bson.DBPointer{DB: "d.c", Pointer: id("507f1f77bcf86cd799439011")},
		bson.JavaScript("f()"), bson.JavaScript(""), bson.CodeWithScope{Code: "f()", Scope: bson.D{{Key: "x", Value: int32(1)}}},
	}
}()

// chance is the random source of everything that a generator decides.
type chance struct{ *rand.Rand }

func newChance(seed uint64) chance { return chance{rand.New(rand.NewPCG(seed, 0x67656f7368617264))} }

func (c chance) percent(p int) bool { return c.IntN(100) < p }

func pickOf[T any](c chance, from []T) T { return from[c.IntN(len(from))] }

// keyValue is a value that a shard key field may have: mostly one of keyValues, else a random one of a common type.
func (c chance) keyValue() any {
	if c.percent(60) {
		return pickOf(c, keyValues)
	}
	switch c.IntN(7) {
	case 0:
		return int32(c.IntN(200) - 100)
	case 1:
		return c.Int64() - c.Int64()
	case 2:
		return float64(c.IntN(4000)-2000) / 8
	case 3:
		return fmt.Sprintf("%c%d", 'a'+rune(c.IntN(26)), c.IntN(50))
	case 4:
		return bson.DateTime(1600000000000 + int64(c.IntN(1000))*86400000)
	case 5:
		d, _ := bson.ParseDecimal128(fmt.Sprintf("%d.%02d", c.IntN(200)-100, c.IntN(100)))
		return d
	}
	return bson.D{{Key: "a", Value: int32(c.IntN(4))}, {Key: "b", Value: pickOf(c, []any{"x", nil, 1.5, true})}}
}

// anyValue is a value of any BSON type, for fields that are in no index and no shard key.
func (c chance) anyValue() any {
	switch c.IntN(12) {
	case 0:
		return bson.A{int32(c.IntN(5)), "x", nil, c.keyValue()}
	case 1:
		return bson.Regex{Pattern: "^a", Options: "i"}
	case 2:
		return bson.Undefined{}
	case 3:
		return bson.MaxKey{}
	case 4:
		return bson.A{bson.A{}, bson.D{}, bson.A{int32(1)}}
	case 5:
		return bson.D{{Key: "x", Value: c.keyValue()}, {Key: "y", Value: bson.A{c.keyValue()}}}
	}
	return c.keyValue()
}

// objectID is random but decided by the seed.
func (c chance) objectID() (id bson.ObjectID) {
	binary.BigEndian.PutUint64(id[4:], c.Uint64())
	return id
}

// freshID is an _id that no other document has, also not by value (1 and 1.0 are the same _id). It is unique over
// all shards by construction, because a sharded cluster itself checks _id only within a shard.
func (c chance) freshID(n int64) any {
	switch c.IntN(8) {
	case 0:
		return int32(n)
	case 1:
		return n
	case 2:
		return float64(n)
	case 3:
		return c.objectID()
	case 4:
		return bson.D{{Key: "n", Value: n}}
	case 5:
		return bson.DateTime(n)
	case 6:
		d, _ := bson.ParseDecimal128(fmt.Sprint(n))
		return d
	}
	return fmt.Sprintf("id%08d", n)
}

var (
	places     = []string{"NYC", "LON", "SYD"}
	categories = []string{"c0", "c1", "c2", "c3", "c4", "c5"}
	words      = []string{"apple", "Apple", "APPLE", "äpfel", "zebra", "Zebra", "item2", "item10", "", "résumé", "resume", "ß", "ss"}
)

// document is a document whose fields keep the types that updates rely on: an update of many must succeed on all
// or fail on all, because where it stops in the middle is not defined.
func (c chance) document(id any) bson.D {
	d := bson.D{{Key: "_id", Value: id}}
	if c.percent(93) {
		d = append(d, bson.E{Key: "k", Value: c.keyValue()})
	}
	d = append(d, bson.E{Key: "dc", Value: pickOf(c, places)})
	switch {
	case c.percent(90):
		d = append(d, bson.E{Key: "a", Value: bson.D{{Key: "b", Value: c.keyValue()}, {Key: "c", Value: int32(c.IntN(5))}}})
	case c.percent(50):
		d = append(d, bson.E{Key: "a", Value: bson.D{}})
	}
	arr := bson.A{}
	for range c.IntN(6) {
		arr = append(arr, int32(c.IntN(10)))
	}
	items := bson.A{}
	for i := range c.IntN(4) {
		items = append(items, bson.D{{Key: "x", Value: int32(c.IntN(10))}, {Key: "y", Value: pickOf(c, words)}, {Key: "i", Value: int32(i)}})
	}
	d = append(d,
		bson.E{Key: "n", Value: int32(c.IntN(60))},
		// Dyadic fractions add up exactly, so sums do not depend on the order of the documents.
		bson.E{Key: "q", Value: float64(c.IntN(800)) / 8},
		bson.E{Key: "s", Value: pickOf(c, words)},
		bson.E{Key: "cat", Value: pickOf(c, categories)},
		bson.E{Key: "t", Value: bson.NewDateTimeFromTime(time.Date(2024, 1, 1+c.IntN(300), c.IntN(24), 0, 0, 0, time.UTC))},
		bson.E{Key: "arr", Value: arr}, bson.E{Key: "items", Value: items})
	if c.percent(70) {
		d = append(d, bson.E{Key: "v", Value: c.anyValue()})
	}
	return d
}
