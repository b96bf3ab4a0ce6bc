package clusterflag

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/geoshard/geoshard/hint"
)

// Given returns the one flag among --name, --uri and --uri-file that the command line has; "" where it has none. Several of them contradict each other.
func Given(flags *pflag.FlagSet) (string, error) {
	var given []string
	for _, name := range []string{"name", "uri", "uri-file"} {
		if flags.Changed(name) {
			given = append(given, "--"+name)
		}
	}
	if len(given) > 1 {
		return "", hint.Errorf("name one of them", "several clusters are named: %s", strings.Join(given, " and "))
	}
	return strings.Join(given, ""), nil
}

// ReadURI reads a connection string from a file with one line.
func ReadURI(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the connection string: %w", err)
	}
	uri := strings.TrimSpace(string(text))
	if uri == "" || strings.ContainsAny(uri, "\r\n") {
		return "", hint.Errorf("such as mongodb://user:password@host:27017/?authSource=admin&tls=true", "read the connection string: %s has to hold one line", file)
	}
	return uri, nil
}
