package devmongos_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// An answer is what a client sees of an operation: documents or numbers, or an error.
type answer struct {
	Docs   []bson.Raw
	Counts bson.D
	Err    *failure
}

// A failure is what a program can branch on. Message texts are left out: they name shards and commands.
type failure struct {
	Code   int32
	Labels []string
	// Writes are "index:code" of every failed write, sorted: the order among unordered ones is not defined.
	Writes []string
	Text   string
}

func (f *failure) String() string {
	return fmt.Sprintf("code %d, labels %v, write errors %v: %s", f.Code, f.Labels, f.Writes, f.Text)
}

// codes are the failure's codes, without the places of the writes.
func (f *failure) codes() string {
	codes := []string{fmt.Sprint(f.Code)}
	for _, w := range f.Writes {
		if _, code, _ := strings.Cut(w, ":"); !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	return strings.TrimPrefix(strings.Join(codes, "+"), "0+")
}

func (f *failure) key() string { return fmt.Sprint(f.Code, f.Labels, f.Writes) }

// failed turns a driver's error into a failure. An error that did not come from the server (a broken connection, a
// deadline) has code -1, which equals no server's code.
func failed(err error) answer {
	if err == nil {
		return answer{}
	}
	f := &failure{Code: -1, Text: err.Error()}
	var command mongo.CommandError
	var bulk mongo.BulkWriteException
	var write mongo.WriteException
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return answer{Counts: bson.D{{Key: "document", Value: nil}}}
	case errors.As(err, &command):
		f.Code, f.Labels = command.Code, command.Labels
	case errors.As(err, &bulk):
		f.Code, f.Labels = 0, bulk.Labels
		for _, e := range bulk.WriteErrors {
			f.Writes = append(f.Writes, fmt.Sprintf("%d:%d", e.Index, e.Code))
		}
		if bulk.WriteConcernError != nil {
			f.Code = int32(bulk.WriteConcernError.Code)
		}
	case errors.As(err, &write):
		f.Code, f.Labels = 0, write.Labels
		for _, e := range write.WriteErrors {
			f.Writes = append(f.Writes, fmt.Sprintf("%d:%d", e.Index, e.Code))
		}
		if write.WriteConcernError != nil {
			f.Code = int32(write.WriteConcernError.Code)
		}
	}
	f.Labels = slices.Clone(f.Labels)
	slices.Sort(f.Labels)
	slices.Sort(f.Writes)
	return answer{Err: f}
}

func counted(err error, pairs ...any) answer {
	a := failed(err)
	for i := 0; err == nil && i+1 < len(pairs); i += 2 {
		a.Counts = append(a.Counts, bson.E{Key: pairs[i].(string), Value: pairs[i+1]})
	}
	return a
}

// updated keeps the counts beside an error: a write concern error comes with a result.
func updated(r *mongo.UpdateResult, err error) answer {
	a := failed(err)
	if r != nil && err == nil {
		a.Counts = bson.D{{Key: "matched", Value: r.MatchedCount}, {Key: "modified", Value: r.ModifiedCount},
			{Key: "upserted", Value: r.UpsertedCount}, {Key: "id", Value: r.UpsertedID}}
	}
	return a
}

func deleted(r *mongo.DeleteResult, err error) answer {
	if err != nil {
		return failed(err)
	}
	return counted(nil, "deleted", r.DeletedCount)
}

// bulkWritten keeps the counts beside the errors: what was written before the failure is part of the answer.
func bulkWritten(r *mongo.BulkWriteResult, err error) answer {
	a := failed(err)
	if r == nil {
		return a
	}
	a.Counts = bson.D{{Key: "inserted", Value: r.InsertedCount}, {Key: "matched", Value: r.MatchedCount},
		{Key: "modified", Value: r.ModifiedCount}, {Key: "deleted", Value: r.DeletedCount}, {Key: "upserted", Value: r.UpsertedCount}}
	var at []int64
	for i := range r.UpsertedIDs {
		at = append(at, i)
	}
	slices.Sort(at)
	for _, i := range at {
		a.Counts = append(a.Counts, bson.E{Key: fmt.Sprintf("id%d", i), Value: r.UpsertedIDs[i]})
	}
	return a
}

func single(r *mongo.SingleResult) answer {
	raw, err := r.Raw()
	if err != nil {
		return failed(err)
	}
	return answer{Docs: []bson.Raw{raw}}
}

func named(names []string, err error) answer {
	a := failed(err)
	for _, n := range names {
		raw, _ := bson.Marshal(bson.D{{Key: "name", Value: n}})
		a.Docs = append(a.Docs, raw)
	}
	return a
}

func drained(ctx context.Context, cursor *mongo.Cursor, err error) answer {
	if err != nil {
		return failed(err)
	}
	defer cursor.Close(ctx)
	var a answer
	for cursor.Next(ctx) {
		a.Docs = append(a.Docs, bytes.Clone(cursor.Current))
	}
	if cursor.Err() != nil {
		return failed(cursor.Err())
	}
	return a
}

// valuesOf makes one document of every value of an array, so that distinct's answer compares like a cursor's.
func valuesOf(values bson.RawArray, err error) answer {
	if err != nil {
		return failed(err)
	}
	elements, err := values.Values()
	if err != nil {
		return failed(err)
	}
	var a answer
	for _, v := range elements {
		raw, err := bson.Marshal(bson.D{{Key: "value", Value: v}})
		if err != nil {
			return failed(err)
		}
		a.Docs = append(a.Docs, raw)
	}
	return a
}

// replied keeps of a raw command's reply what both kinds of server send.
func replied(raw bson.Raw, err error) answer {
	if err != nil {
		return failed(err)
	}
	var whole bson.D
	if err := bson.Unmarshal(raw, &whole); err != nil {
		return failed(err)
	}
	var a answer
	for _, e := range whole {
		if e.Key == "n" || e.Key == "nModified" || e.Key == "value" || e.Key == "ok" {
			a.Counts = append(a.Counts, e)
		}
	}
	return a
}

// difference says how two answers to the same operation differ; empty means that they agree.
func difference(op operation, want, got answer) string {
	switch {
	case want.Err != nil && got.Err == nil:
		return fmt.Sprintf("want an error (%s), got none", want.Err)
	case want.Err == nil && got.Err != nil:
		return fmt.Sprintf("want no error, got %s", got.Err)
	case want.Err != nil && want.Err.key() != got.Err.key():
		return fmt.Sprintf("want error %s\ngot error %s", want.Err, got.Err)
	}
	if w, g := text(want.Counts), text(got.Counts); w != g {
		return fmt.Sprintf("want %s\ngot  %s", w, g)
	}
	if len(want.Docs) != len(got.Docs) {
		return fmt.Sprintf("want %d documents, got %d\nonly wanted: %s\nonly got: %s", len(want.Docs), len(got.Docs),
			without(op, want.Docs, got.Docs), without(op, got.Docs, want.Docs))
	}
	if op.order == countOnly {
		return ""
	}
	w, g := keys(op, want.Docs), keys(op, got.Docs)
	if op.order != inOrder {
		slices.Sort(w)
		slices.Sort(g)
	}
	for i := range w {
		if w[i] != g[i] {
			return fmt.Sprintf("document %d of %d\nwant %s\ngot  %s", i, len(w), shown(op, w[i]), shown(op, g[i]))
		}
	}
	return ""
}

// keys are strings that are equal exactly when the documents are: their bytes, or a canonical form for Loose.
func keys(op operation, docs []bson.Raw) []string {
	out := make([]string, len(docs))
	for i, d := range docs {
		switch {
		case op.Kind == "listIndexes":
			out[i] = fmt.Sprint(d.Lookup("name"), d.Lookup("key"), d.Lookup("unique"), d.Lookup("sparse"), d.Lookup("collation"))
		case op.Loose:
			out[i] = loose(bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: d})
		default:
			out[i] = string(d)
		}
	}
	return out
}

func without(op operation, docs, others []bson.Raw) string {
	left := map[string]int{}
	for _, k := range keys(op, others) {
		left[k]++
	}
	var out []string
	for i, k := range keys(op, docs) {
		if left[k]--; left[k] < 0 && len(out) < 5 {
			out = append(out, docs[i].String())
		}
	}
	return strings.Join(out, ", ")
}

func shown(op operation, key string) string {
	if op.Loose || op.Kind == "listIndexes" {
		return key
	}
	return bson.Raw(key).String()
}

func text(d bson.D) string {
	if d == nil {
		return "no counts"
	}
	out, err := bson.MarshalExtJSON(d, true, false)
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// loose writes a value so that numbers of equal value are equal whatever their type.
func loose(v bson.RawValue) string {
	switch v.Type {
	case bson.TypeInt32, bson.TypeInt64:
		return fmt.Sprintf("#%d", v.AsInt64())
	case bson.TypeDouble:
		return looseFloat(v.Double())
	case bson.TypeDecimal128:
		d := v.Decimal128()
		n, exp, err := d.BigInt()
		if err != nil {
			return looseSpecial(d.String())
		}
		return looseDecimal(n, exp)
	case bson.TypeEmbeddedDocument, bson.TypeArray:
		elements, err := bson.Raw(v.Value).Elements()
		if err != nil {
			return "broken " + err.Error()
		}
		var b strings.Builder
		for _, e := range elements {
			fmt.Fprintf(&b, "%q:%s,", e.Key(), loose(e.Value()))
		}
		return fmt.Sprintf("%d{%s}", v.Type, b.String())
	}
	if v.Type == bson.TypeSymbol {
		v.Type = bson.TypeString // a symbol equals the same string
	}
	return fmt.Sprintf("%d %x", v.Type, v.Value)
}

func looseFloat(f float64) string {
	r := new(big.Rat)
	if r.SetFloat64(f) == nil {
		return looseSpecial(fmt.Sprint(f))
	}
	return "#" + r.RatString()
}

func looseSpecial(s string) string { return "#" + strings.TrimPrefix(strings.ToLower(s), "+")[:3] }

func looseDecimal(n *big.Int, exp int) string {
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(exp, -exp))), nil)
	if exp >= 0 {
		return "#" + new(big.Int).Mul(n, ten).String()
	}
	return "#" + new(big.Rat).SetFrac(n, ten).RatString()
}
