package redact_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/geoshard/geoshard/internal/redact"
)

func TestErrorHidesWhatQuotesASecret(t *testing.T) {
	const uri = "mongodb://amy:p%40ss@db.example.net/"
	for text, hidden := range map[string]bool{
		"dial " + uri: true, "wrong password p@ss": true, "bad escape in p%40ss": true, "key sesame": true,
		"connection refused": false, "unknown user amy": false,
	} {
		err := redact.Error(errors.New(text), uri, "sesame", "")
		if got := err.Error() != text; got != hidden {
			t.Errorf("%q: got %q, want hidden %v", text, err, hidden)
		}
		if hidden && strings.Contains(fmt.Sprintf("%+v", err), "ss@") {
			t.Errorf("%q: %+v", text, err)
		}
	}
	if err := redact.Error(nil, uri); err != nil {
		t.Errorf("got %v for no error", err)
	}
}

func ExampleURI() {
	fmt.Println(redact.URI("mongodb://amy:secret@db1.example.net:27017,db2.example.net:27017/shop?tls=true"))
	// Output: mongodb://…@db1.example.net:27017,db2.example.net:27017
}
