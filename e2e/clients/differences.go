package clients

import "fmt"

// Differences compares what one script said in two places, and returns a line for each check that only one of them made and for each value that is
// not the same. Whether the checks hold is no part of it.
func Differences(got, want Report) []string {
	var lines []string
	gotChecks, wantChecks := checkNames(got), checkNames(want)
	for _, c := range want.Checks {
		if !gotChecks[c.Name] {
			lines = append(lines, fmt.Sprintf("check %q was not made", c.Name))
		}
	}
	for _, c := range got.Checks {
		if !wantChecks[c.Name] {
			lines = append(lines, fmt.Sprintf("check %q is made here only", c.Name))
		}
	}
	seen := make(map[string]string, len(got.Values))
	for _, v := range got.Values {
		seen[v.Name] = v.JSON
	}
	for _, v := range want.Values {
		json, ok := seen[v.Name]
		delete(seen, v.Name)
		if !ok {
			lines = append(lines, fmt.Sprintf("value %q was not printed, want %s", v.Name, v.JSON))
		} else if json != v.JSON {
			lines = append(lines, fmt.Sprintf("value %q: got %s, want %s", v.Name, json, v.JSON))
		}
	}
	for _, v := range got.Values {
		if _, left := seen[v.Name]; left {
			lines = append(lines, fmt.Sprintf("value %q is printed here only", v.Name))
		}
	}
	return lines
}

func checkNames(r Report) map[string]bool {
	names := make(map[string]bool, len(r.Checks))
	for _, c := range r.Checks {
		names[c.Name] = true
	}
	return names
}
