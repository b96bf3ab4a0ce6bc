package serve_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/geoshard/geoshard/internal/serve"
)

// A request that is under way when the context ends gets its answer.
func ExampleRun() {
	ctx, stop := context.WithCancel(context.Background())
	listener, _ := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		stop()
		fmt.Fprint(w, "the last answer")
	})}
	ended := make(chan error)
	go func() { ended <- serve.Run(ctx, time.Minute, serve.Server{Server: server, On: listener}) }()

	answer, err := http.Get("http://" + listener.Addr().String()) //nolint:noctx // the server's context is the example's
	if err != nil {
		fmt.Println(err)
		return
	}
	text, _ := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	fmt.Printf("%s, %v\n", text, <-ended)
	// Output: the last answer, <nil>
}
