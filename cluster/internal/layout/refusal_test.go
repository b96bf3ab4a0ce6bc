package layout_test

import (
	"strings"
	"testing"

	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/hint"
)

// A topology may have a shard called config, from MongoDB 8.0 on. The clusters that are started
// here have config servers of their own.
func TestAConfigShardIsNotLaidOut(t *testing.T) {
	_, err := layout.Of(world("config A:2 B:1"), false)
	if err == nil || !strings.Contains(err.Error(), "config servers of its own") || hint.Of(err) == "" {
		t.Errorf("got %v, hint %q", err, hint.Of(err))
	}
}
