package hint_test

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/geoshard/geoshard/hint"
)

func Example() {
	err := fmt.Errorf("plan: %w", hint.New(fmt.Errorf("read geoshard.yaml: %w", fs.ErrNotExist), "write it with geoshard init"))
	fmt.Println(err)
	fmt.Println("hint:", hint.Of(err))
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output:
	// plan: read geoshard.yaml: file does not exist
	// hint: write it with geoshard init
	// true
}
