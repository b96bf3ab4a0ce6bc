package plan

import (
	"fmt"

	"github.com/geoshard/geoshard/zones"
)

// A report is what was found out about a cluster. Subjects are names of any type.
type report []zones.Finding

func (r *report) note(rule string, subject any, hint, format string, args ...any) {
	r.add(zones.SeverityNote, rule, subject, hint, format, args...)
}

func (r *report) warn(rule string, subject any, hint, format string, args ...any) {
	r.add(zones.SeverityWarning, rule, subject, hint, format, args...)
}

func (r *report) fail(rule string, subject any, hint, format string, args ...any) {
	r.add(zones.SeverityError, rule, subject, hint, format, args...)
}

func (r *report) add(severity zones.Severity, rule string, subject any, hint, format string, args ...any) {
	*r = append(*r, zones.Finding{Severity: severity, Rule: rule, Subject: fmt.Sprint(subject), Message: fmt.Sprintf(format, args...), Hint: hint})
}
