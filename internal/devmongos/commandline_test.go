package devmongos

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/geoshard/geoshard/hint"
)

// The command line is that of mongos: what starts one of MongoDB's starts this one too.
func TestCommandLineIsThatOfMongos(t *testing.T) {
	const config = "--configdb=config/127.0.0.1:1,127.0.0.1:2"
	for _, c := range []struct {
		line string
		want commandLine
	}{
		{config, commandLine{Config{ConfigServers: "config/127.0.0.1:1,127.0.0.1:2", Listen: "127.0.0.1:27017"}, 27017, ""}},
		{config + " --bind_ip_all --port 5 --setParameter a=1 --setParameter b=2", commandLine{Config{ConfigServers: "config/127.0.0.1:1,127.0.0.1:2", Listen: "0.0.0.0:5"}, 5, ""}},
		{config + " --bind_ip 127.0.0.1 --port 5 --nounixsocket --logpath l --logappend --keyFile k --tlsMode requireTLS --tlsCAFile ca --tlsCertificateKeyFile c --tlsAllowConnectionsWithoutCertificates",
			commandLine{Config{ConfigServers: "config/127.0.0.1:1,127.0.0.1:2", Listen: "127.0.0.1:5", KeyFile: "k", CAFile: "ca", CertificateKeyFile: "c"}, 5, "l"}},
	} {
		got, err := parse(strings.Fields(c.line))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v; want %+v", c.line, got, err, c.want)
		}
	}
	for line, want := range map[string]string{
		"":                               "--configdb is missing",
		"--configdb c/h:1 --tlsMode all": "--tlsMode all",
		"--configdb c/h:1 --tlsMode requireTLS --tlsCAFile ca":      "TLS takes three options",
		"--configdb c/h:1 --tlsCAFile ca --tlsCertificateKeyFile c": "TLS takes three options",
		"--configdb c/h:1 --fork":                                   "unknown flag: --fork",
		"--configdb c/h:1 --port many":                              "many",
	} {
		if _, err := parse(strings.Fields(line)); err == nil || !strings.Contains(err.Error(), want) || hint.Of(err) == "" {
			t.Errorf("%q: got %v with hint %q, want %q", line, err, hint.Of(err), want)
		}
	}
	if _, err := parse([]string{"--version"}); !errors.Is(err, ErrVersionAsked) {
		t.Errorf("got %v", err)
	}
}
