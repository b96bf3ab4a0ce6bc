package zones

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// planVersion is the version of the plan files that this package writes and reads. A change that an older geoshard would misread needs a new one.
const planVersion = 1

// ErrPlanFile says that something is no plan file, or not one as it was written. All errors of ReadPlan wrap it, but those of reading.
var ErrPlanFile = errors.New("not a plan as it was saved")

// A PlanFileError says what is wrong with a plan file.
type PlanFileError struct {
	Msg  string
	hint string
}

func (e *PlanFileError) Error() string { return "read plan: " + e.Msg }

// Hint says what to do.
func (e *PlanFileError) Hint() string { return e.hint }

// Unwrap makes errors.Is(err, ErrPlanFile) hold.
func (e *PlanFileError) Unwrap() error { return ErrPlanFile }

// planFile is the outer part of a plan file. The checksum is of the plan's text without white space between its parts, so that a file may be indented.
type planFile struct {
	Version  int             `json:"geoshardPlan"`
	Checksum string          `json:"checksum"`
	Plan     json.RawMessage `json:"plan"`
}

type planJSON struct {
	Made       time.Time  `json:"made"`
	ClusterID  string     `json:"clusterId"`
	StateHash  string     `json:"stateHash"`
	Namespaces []string   `json:"namespaces"`
	Steps      []stepJSON `json:"steps"`
	Manual     []Manual   `json:"manual"`
	Findings   []Finding  `json:"findings"`
	Forecast   Forecast   `json:"forecast"`
	Layout     Layout     `json:"layout"`
}

type stepJSON struct {
	Kind string `json:"kind"`
	// Text is for readers of the file, the change for geoshard.
	Text   string          `json:"text"`
	Change json.RawMessage `json:"change"`
	Cause  Cause           `json:"cause"`
	Reason string          `json:"reason"`
}

// MarshalJSON writes the plan with a version and a checksum: {"geoshardPlan": 1, "checksum": "sha256:…", "plan": {…}}. Bounds and validators are canonical
// extended JSON. The runs of keys that will move are not part of it.
func (p *Plan) MarshalJSON() ([]byte, error) {
	out := planJSON{p.Made, p.ClusterID, p.StateHash, p.Namespaces, make([]stepJSON, len(p.Steps)), p.Manual, p.Findings, p.Forecast, p.Layout}
	for i, step := range p.Steps {
		change, err := json.Marshal(step.Change)
		if err != nil {
			return nil, fmt.Errorf("marshal step %d: %w", i+1, err)
		}
		out.Steps[i] = stepJSON{kindOf(step.Change), step.Change.String(), change, step.Cause, step.Reason}
	}
	plan, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("marshal plan: %w", err)
	}
	sum, err := checksum(plan)
	if err != nil {
		return nil, fmt.Errorf("marshal plan: %w", err)
	}
	return json.Marshal(planFile{planVersion, sum, plan})
}

func checksum(plan []byte) (string, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, plan); err != nil {
		return "", err
	}
	sum := sha256.Sum256(compact.Bytes())
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

const makeItAnew = "make it anew: geoshard plan --save FILE"

// ReadPlan reads a plan that MarshalJSON wrote. A file that was changed or cut off, or that a newer geoshard wrote, is refused with a *PlanFileError, which
// wraps ErrPlanFile.
func ReadPlan(r io.Reader) (*Plan, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	file, err := openPlanFile(text)
	if err != nil {
		return nil, err
	}
	var in planJSON
	if err := decodeStrictly(file.Plan, &in); err != nil {
		return nil, &PlanFileError{err.Error(), makeItAnew}
	}
	p := &Plan{
		Made: in.Made, ClusterID: in.ClusterID, StateHash: in.StateHash, Namespaces: in.Namespaces,
		Manual: in.Manual, Findings: in.Findings, Forecast: in.Forecast, Layout: in.Layout,
	}
	for i, s := range in.Steps {
		change, err := readChange(s.Kind, s.Change)
		if err != nil {
			return nil, &PlanFileError{fmt.Sprintf("step %d: %v", i+1, err), makeItAnew}
		}
		p.Steps = append(p.Steps, Step{Change: change, Cause: s.Cause, Reason: s.Reason})
	}
	return p, nil
}

// openPlanFile checks the outer part. The version comes first: a newer geoshard may have changed everything else.
func openPlanFile(text []byte) (planFile, error) {
	var version struct {
		Version *int `json:"geoshardPlan"`
	}
	var file planFile
	switch err := json.Unmarshal(text, &version); {
	case len(bytes.TrimSpace(text)) == 0:
		return file, &PlanFileError{"the file is empty", makeItAnew}
	case err != nil && bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")):
		return file, &PlanFileError{fmt.Sprintf("the file is cut off or broken (%v)", err), makeItAnew}
	case err != nil || version.Version == nil:
		return file, &PlanFileError{"the file is not a plan of geoshard", "name a file that geoshard plan --save has written"}
	case *version.Version != planVersion:
		return file, &PlanFileError{fmt.Sprintf("the file has version %d, and this geoshard reads %d", *version.Version, planVersion),
			"apply it with the geoshard that made it, or make it anew with this one"}
	}
	if err := decodeStrictly(text, &file); err != nil {
		return file, &PlanFileError{err.Error(), makeItAnew}
	}
	// Reading is lenient, about the case of names for one. What was saved is written again to the same text.
	if sum, err := checksum(file.Plan); err != nil || sum != file.Checksum || !sameText(text, file) {
		return file, &PlanFileError{"the file was changed after it was saved: it does not match its checksum", makeItAnew + "; what it should do is changed in geoshard.yaml"}
	}
	return file, nil
}

// sameText says whether a file has the text, but for the white space between its parts, that a plan file is written with.
func sameText(text []byte, file planFile) bool {
	var found bytes.Buffer
	want, err := json.Marshal(file)
	return err == nil && json.Compact(&found, text) == nil && bytes.Equal(found.Bytes(), want)
}

// decodeStrictly refuses unknown fields and anything behind the value.
func decodeStrictly(text []byte, to any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(to); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the end")
	}
	return nil
}

// kindOf tags a change in a plan file.
func kindOf(c Change) string {
	switch c.(type) {
	case AddShardToZone:
		return "addShardToZone"
	case RemoveShardFromZone:
		return "removeShardFromZone"
	case HoldBalancing:
		return "holdBalancing"
	case ReleaseBalancing:
		return "releaseBalancing"
	case RemoveRange:
		return "removeRange"
	case AddRange:
		return "addRange"
	case ShardCollection:
		return "shardCollection"
	case SetValidator:
		return "setValidator"
	default:
		panic(fmt.Sprintf("change %T has no kind", c)) // impossible: only this package defines changes
	}
}

// readChange reads a change by its tag, as the value that the rest of the package knows.
func readChange(kind string, text []byte) (Change, error) {
	switch kind {
	case "addShardToZone":
		return read[AddShardToZone](text)
	case "removeShardFromZone":
		return read[RemoveShardFromZone](text)
	case "holdBalancing":
		return read[HoldBalancing](text)
	case "releaseBalancing":
		return read[ReleaseBalancing](text)
	case "removeRange":
		return read[RemoveRange](text)
	case "addRange":
		return read[AddRange](text)
	case "shardCollection":
		return read[ShardCollection](text)
	case "setValidator":
		return read[SetValidator](text)
	default:
		return nil, fmt.Errorf("unknown change %q", kind)
	}
}

func read[C Change](text []byte) (Change, error) {
	var c C
	if err := decodeStrictly(text, &c); err != nil {
		return nil, err
	}
	return c, nil
}
