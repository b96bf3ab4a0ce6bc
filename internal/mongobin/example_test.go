package mongobin_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/geoshard/geoshard/internal/mongobin"
)

// Ensure is what a program calls: it finds MongoDB or fetches it, and says on stderr what it does meanwhile.
func Example() {
	tools, err := mongobin.Ensure(context.Background(), mongobin.Options{Progress: mongobin.Printer(os.Stderr)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(filepath.Base(tools.Mongod), "found:", tools.Version != "")
	// Output: mongod found: true
}
