package mongobin

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/geoshard/geoshard/hint"
)

// TestMain lets the test binary be a second process that installs: what is written for processes has to be tested with processes.
func TestMain(m *testing.M) {
	if dir := os.Getenv("MONGOBIN_TEST_INSTALL"); dir != "" {
		os.Exit(installAsChild(dir))
	}
	os.Exit(m.Run())
}

// installAsChild prints the path of the installed mongod, or the error and its hint.
func installAsChild(dir string) int {
	t, err := Install(context.Background(), Options{CacheDir: dir, BaseURL: os.Getenv("MONGOBIN_TEST_URL"), Archive: testArchive,
		Progress: Printer(os.Stderr)})
	if err != nil {
		fmt.Println("error:", err)
		if help := hint.Of(err); help != "" {
			fmt.Println("hint:", help)
		}
		return 1
	}
	fmt.Println(t.Mongod)
	return 0
}
