package shardkey

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
)

// ReadKey reads a shard key as config.collections has it.
func ReadKey(raw bson.Raw) (topology.Key, error) {
	fields, err := raw.Elements()
	if err != nil {
		return nil, err
	}
	var key topology.Key
	for _, f := range fields {
		order := f.Value()
		text, _ := order.StringValueOK()
		one, isNumber := order.AsFloat64OK()
		if text != "hashed" && !(isNumber && one == 1) {
			return nil, fmt.Errorf("the field %s has the order %s", f.Key(), order)
		}
		key = append(key, topology.KeyField{Name: f.Key(), Hashed: text == "hashed"})
	}
	return key, nil
}

// PatternOf returns a shard key as the server's commands take it.
func PatternOf(key topology.Key) bson.D {
	var d bson.D
	for _, f := range key {
		var order any = 1
		if f.Hashed {
			order = "hashed"
		}
		d = append(d, bson.E{Key: f.Name, Value: order})
	}
	return d
}
