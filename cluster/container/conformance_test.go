package container_test

import (
	"testing"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/container"
)

func TestConformance(t *testing.T) {
	docker(t)
	clustertest.Run(t, func(t *testing.T) cluster.Cluster {
		return run(t, container.WithPreset("nyc-lon-syd"))
	})
}
