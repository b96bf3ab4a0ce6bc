package clients_test

import (
	"fmt"
	"strings"

	"github.com/geoshard/geoshard/e2e/clients"
)

func ExampleReadReport() {
	printed := `ok insert
not ok find: got 2, want 3
= document: {"_id":1}
done 2
`
	report, err := clients.ReadReport(strings.NewReader(printed), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range report.Checks {
		fmt.Printf("%s: %t, %q\n", c.Name, c.OK, c.Detail)
	}
	// Output:
	// insert: true, ""
	// find: false, "got 2, want 3"
}
