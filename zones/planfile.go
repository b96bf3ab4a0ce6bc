package zones

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/geoshard/geoshard/hint"
)

// planVersion is the version of the plan files that this package writes and reads. A change that an older geoshard would misread needs a new one.
const planVersion = 1

// ErrPlanFile says that something is no plan file, or not one as it was written. All errors of ReadPlan wrap it and have a hint, but those of reading.
var ErrPlanFile = errors.New("not a plan as it was saved")

// planFile is the outer part of a plan file. The checksum is of the plan's text without white space between its parts, so that a file may be indented.
type planFile struct {
	Version  int             `json:"geoshardPlan"`
	Checksum string          `json:"checksum"`
	Plan     json.RawMessage `json:"plan"`
}

// plain is a plan as it stands inside of a plan file.
type plain Plan

// MarshalJSON writes the plan with a version and a checksum: {"geoshardPlan": 1, "checksum": "sha256:…", "plan": {…}}. Bounds and validators are canonical
// extended JSON. The runs of keys that will move are not part of it.
func (p *Plan) MarshalJSON() ([]byte, error) {
	out := plain(*p)
	if out.Steps == nil {
		out.Steps = []Step{}
	}
	plan, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("marshal plan: %w", err)
	}
	return seal(plan)
}

// seal is the text of the plan file of a plan, without white space between its parts.
func seal(plan json.RawMessage) ([]byte, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, plan); err != nil {
		return nil, fmt.Errorf("marshal plan: %w", err)
	}
	return json.Marshal(planFile{planVersion, fmt.Sprintf("sha256:%x", sha256.Sum256(compact.Bytes())), plan})
}

const makeItAnew = "make it anew: geoshard plan --save FILE"

func refused(way, format string, args ...any) error {
	return hint.NewOf(ErrPlanFile, way, "read plan: "+format, args...)
}

// ReadPlan reads a plan that MarshalJSON wrote. A file that was changed or cut off, or that a newer geoshard wrote, is refused with ErrPlanFile.
func ReadPlan(r io.Reader) (*Plan, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	file, err := openPlanFile(text)
	if err != nil {
		return nil, err
	}
	var p plain
	if err := decodeStrictly(file.Plan, &p); err != nil {
		return nil, refused(makeItAnew, "%v", err)
	}
	if len(p.Steps) == 0 {
		p.Steps = nil
	}
	return (*Plan)(&p), nil
}

// openPlanFile checks the outer part. The version comes first: a newer geoshard may have changed everything else.
func openPlanFile(text []byte) (planFile, error) {
	var version struct {
		Version *int `json:"geoshardPlan"`
	}
	var file planFile
	trimmed := bytes.TrimSpace(text)
	switch err := json.Unmarshal(text, &version); {
	case len(trimmed) == 0:
		return file, refused(makeItAnew, "the file is empty")
	case err != nil && trimmed[0] == '{':
		return file, refused(makeItAnew, "the file is cut off or broken (%v)", err)
	case err != nil || version.Version == nil:
		return file, refused("name a file that geoshard plan --save has written", "the file is not a plan of geoshard")
	case *version.Version != planVersion:
		return file, refused("apply it with the geoshard that made it, or make it anew with this one",
			"the file has version %d, and this geoshard reads %d", *version.Version, planVersion)
	}
	if err := decodeStrictly(text, &file); err != nil {
		return file, refused(makeItAnew, "%v", err)
	}
	// Reading is lenient, about the case of names for one. What was saved is written again to the same text.
	var found bytes.Buffer
	if saved, err := seal(file.Plan); err != nil || json.Compact(&found, text) != nil || !bytes.Equal(found.Bytes(), saved) {
		return file, refused(makeItAnew+"; what it should do is changed in geoshard.yaml", "the file was changed after it was saved: it does not match its checksum")
	}
	return file, nil
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

// stepJSON is a step in a plan file. Text is for readers of the file, kind and change are for geoshard.
type stepJSON struct {
	Kind   string `json:"kind"`
	Text   string `json:"text"`
	Change any    `json:"change"`
	Cause  Cause  `json:"cause"`
	Reason string `json:"reason"`
}

// kinds are the changes by their tags in plan files.
var kinds = map[string]Change{
	"addShardToZone": AddShardToZone{}, "removeShardFromZone": RemoveShardFromZone{}, "holdBalancing": HoldBalancing{}, "releaseBalancing": ReleaseBalancing{},
	"removeRange": RemoveRange{}, "addRange": AddRange{}, "shardCollection": ShardCollection{}, "setValidator": SetValidator{},
}

// MarshalJSON writes the change with its tag.
func (s Step) MarshalJSON() ([]byte, error) {
	out := stepJSON{"", s.Change.String(), s.Change, s.Cause, s.Reason}
	for kind, like := range kinds {
		if reflect.TypeOf(like) == reflect.TypeOf(s.Change) {
			out.Kind = kind
		}
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote, the change as the value that the rest of the package knows.
func (s *Step) UnmarshalJSON(text []byte) error {
	var fields json.RawMessage
	in := stepJSON{Change: &fields}
	if err := decodeStrictly(text, &in); err != nil {
		return err
	}
	like, ok := kinds[in.Kind]
	if !ok {
		return fmt.Errorf("step %s: unknown change %q", in.Text, in.Kind)
	}
	change := reflect.New(reflect.TypeOf(like))
	if err := decodeStrictly(fields, change.Interface()); err != nil {
		return fmt.Errorf("step %s: %w", in.Text, err)
	}
	*s = Step{change.Elem().Interface().(Change), in.Cause, in.Reason}
	return nil
}
