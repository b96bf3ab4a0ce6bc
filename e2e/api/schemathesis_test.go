package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/geoshard/geoshard/e2e/clients"
	"github.com/geoshard/geoshard/internal/testkit"
)

const (
	// requireEnv=1 makes a missing Python a failure, as in e2e/clients.
	requireEnv = "GEOSHARD_REQUIRE_PYTHON"
	// installWithin is for a first installation on a slow network.
	installWithin = 10 * time.Minute
)

// checks are all that schemathesis has but those about rights: the shop has none.
const checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance," +
	"negative_data_rejection,positive_data_acceptance,missing_required_header,unsupported_method,allow_header_conformance,ensure_resource_availability"

// generated is the line of the summary that says how many requests there were.
var generated = regexp.MustCompile(`(?m)^\s*(\d+) generated`)

// Whatever is sent, no answer is a server error, and none breaks the document.
func TestTheAPIKeepsToItsDocument(t *testing.T) {
	python := schemathesis(t)
	address := serve(t)
	seed, examples, least, within := testkit.Seed(t)%1_000_000_000, testkit.Count(t, "examples of each operation", 10, 400), testkit.Count(t, "requests at least", 800, 20_000), 15*time.Minute
	if testkit.Soak() {
		within = 2 * time.Hour
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	began := time.Now()
	cmd := exec.CommandContext(ctx, python.Path, "-m", "schemathesis.cli", "--config-file", file(t, "schemathesis.toml"), "run", "http://"+address+"/openapi.json", "--no-color",
		"--phases", "examples,coverage,fuzzing,stateful", "--checks", checks, "--max-examples", strconv.Itoa(examples), "--seed", strconv.FormatUint(seed, 10),
		"--request-timeout", "60", "--suppress-health-check", "all", "--continue-on-failure", "--warnings", "off")
	cmd.Dir = t.TempDir() // it keeps a database of examples where it is run
	cmd.Env = append(append(os.Environ(), python.Env...), "SCHEMATHESIS_HOOKS="+file(t, "hooks.py"), fmt.Sprintf("API_SEED=%d", seed))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("schemathesis (seed %d): %v\n%s", seed, err, out)
	}
	count := 0
	if found := generated.FindSubmatch(out); found != nil {
		count, _ = strconv.Atoi(string(found[1]))
	}
	t.Logf("%d requests in %s, seed %d\n%s", count, time.Since(began).Round(time.Second), seed, summary(out))
	if count < least {
		t.Errorf("got %d requests, want at least %d", count, least)
	}
	judge(t, address)
}

// schemathesis returns a Python with it.
func schemathesis(t *testing.T) *clients.Interpreter {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), installWithin)
	defer cancel()
	python, err := clients.Python(ctx, "schemathesis-4.32.5", "-r", file(t, "requirements.txt"))
	switch {
	case err == nil:
		return python
	case errors.Is(err, clients.ErrMissing) && os.Getenv(requireEnv) != "1":
		t.Skipf("NOT TESTED: %v; %s=1 makes this a failure", err, requireEnv)
	default:
		t.Fatal(err)
	}
	return nil
}

// file is the path of a file of ours.
func file(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("schemathesis", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// summary is the end of what schemathesis says.
func summary(out []byte) []byte {
	if i := bytes.LastIndex(out, []byte(" SUMMARY ")); i >= 0 {
		return out[i:]
	}
	return out
}
