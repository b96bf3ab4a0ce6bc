package server_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"github.com/geoshard/geoshard/cart/server"
	"github.com/geoshard/geoshard/hint"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Nobody but this machine reaches a shop without TLS by mistake.
func ExampleRun() {
	err := server.Run(context.Background(), server.Options{DataCenter: "LON", Listen: "0.0.0.0:8080"})
	fmt.Println(err)
	fmt.Println(hint.Of(err))
	// Output:
	// listen on 0.0.0.0:8080: this address can be reached from other machines, and there is no TLS
	// give --tls-certificate-file and --tls-key-file, or --insecure if something in front has TLS
}

func TestAnInstanceListensHereAlone(t *testing.T) {
	for _, address := range []string{":8080", "0.0.0.0:1", "[::]:1", "example.net:1", "192.0.2.1:1", "8080"} {
		err := server.Run(t.Context(), server.Options{DataCenter: "LON", Listen: address, Target: server.Target{URI: "mongodb://127.0.0.1:1"}})
		if !errors.Is(err, server.ErrOpenToAll) {
			t.Errorf("%s: got %v, want ErrOpenToAll", address, err)
		}
	}
}
