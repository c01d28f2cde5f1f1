package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, events string
		ok           bool
		want, absent []string // words that must be there, and that must not
	}{
		{"all passed", `{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Elapsed":1.5}`, true, []string{"ok    p 1.5s", "1 passed, 0 failed, 0 skipped"}, nil},
		{"one failed", `{"Action":"output","Package":"p","Test":"TestA","Output":"said why\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`, false, []string{"said why", "FAILED p", "0 passed, 1 failed, 0 skipped"}, nil},
		{"one hung", `{"Action":"output","Package":"p","Test":"TestA","Output":"fine\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestHangs","Output":"panic: test timed out\n"}
{"Action":"fail","Package":"p"}`, false, []string{"UNFINISHED  p TestHangs", "panic: test timed out", "1 passed, 0 failed, 0 skipped"}, []string{"fine"}},
		{"nothing ran", `{"Action":"pass","Package":"p"}`, false, []string{"0 passed, 0 failed, 0 skipped"}, nil},
	} {
		var out strings.Builder
		ok, err := report(strings.NewReader(row.events), &out)
		if err != nil || ok != row.ok {
			t.Errorf("%s: ok %v, %v", row.name, ok, err)
		}
		for _, line := range row.want {
			if !strings.Contains(out.String(), line) {
				t.Errorf("%s: no %q in\n%s", row.name, line, out.String())
			}
		}
		for _, words := range row.absent {
			if strings.Contains(out.String(), words) {
				t.Errorf("%s: %q in\n%s", row.name, words, out.String())
			}
		}
	}
}
