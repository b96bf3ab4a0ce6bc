package clients

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A Check is one line of a script's report that says whether something holds.
type Check struct {
	Name string
	OK   bool
	// Detail is "got …, want …" where the check does not hold, and empty otherwise.
	Detail string
}

// A Value is something that a script saw, to be compared with what the same script saw elsewhere.
type Value struct {
	Name string
	// JSON is MongoDB Extended JSON on one line.
	JSON string
}

// A Report is what a script said, in its order.
type Report struct {
	Checks []Check
	Values []Value
	// Notes are the lines that start with "# ", without that.
	Notes []string
	// Noise are the lines that are no part of a report, such as warnings of the client.
	Noise []string
}

// maxLine bounds one line of a report; values of more than a megabyte are a mistake of the script.
const maxLine = 1 << 20

// ReadReport reads what a script printed until r ends, and calls each, which may be nil, with every line as it comes.
// A report without the closing line, with a wrong count or with two checks of one name is an error: a script that died half-way must not pass.
func ReadReport(r io.Reader, each func(line string)) (Report, error) {
	var report Report
	closed := -1
	names := map[string]bool{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		if each != nil {
			each(line)
		}
		if count, ok := strings.CutPrefix(line, "done "); ok {
			n, err := strconv.Atoi(count)
			if err != nil || n < 0 || closed >= 0 {
				return report, fmt.Errorf("read report: bad closing line %q", line)
			}
			closed = n
			continue
		}
		name := report.add(line)
		if name == "" {
			continue
		}
		if names[name] {
			return report, fmt.Errorf("read report: two lines for %q", name)
		}
		names[name] = true
	}
	if err := lines.Err(); err != nil {
		return report, fmt.Errorf("read report: %w", err)
	}
	if closed < 0 {
		return report, fmt.Errorf("read report: it stops after %d checks without its closing line", len(report.Checks))
	}
	if closed != len(report.Checks) {
		return report, fmt.Errorf("read report: the script counts %d checks, its report has %d", closed, len(report.Checks))
	}
	return report, nil
}

// add takes one line in and returns the name of the check or value in it, if it has one.
func (r *Report) add(line string) string {
	if name, ok := strings.CutPrefix(line, "ok "); ok {
		r.Checks = append(r.Checks, Check{Name: name, OK: true})
		return name
	}
	if rest, ok := strings.CutPrefix(line, "not ok "); ok {
		name, detail, _ := strings.Cut(rest, ": ")
		r.Checks = append(r.Checks, Check{Name: name, Detail: detail})
		return name
	}
	if rest, ok := strings.CutPrefix(line, "= "); ok {
		if name, json, ok := strings.Cut(rest, ": "); ok {
			r.Values = append(r.Values, Value{Name: name, JSON: json})
			return "= " + name
		}
	}
	if note, ok := strings.CutPrefix(line, "# "); ok {
		r.Notes = append(r.Notes, note)
	} else if strings.TrimSpace(line) != "" {
		r.Noise = append(r.Noise, line)
	}
	return ""
}
