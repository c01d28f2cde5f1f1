package configs_test

import (
	"fmt"
	"strings"
	"testing"

	"plumbline/configs"
)

// bomb is nine levels of nine aliases each: 9^9 values from 400 bytes.
func bomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i <= 9; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
	}
	return b.String()
}

// An alias bomb is refused by counting: nothing is written out, so it costs no
// more than its own text does.
func TestAliasBomb(t *testing.T) {
	const want = "c.yaml:6:15: more than 100000 values when aliases are written out: use fewer"
	files := []configs.File{{Name: "c.yaml", Data: []byte(bomb())}}
	if _, err := configs.Parse(files, environment, secretFile); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %v", err, want)
	}
	harmless := []configs.File{{Name: "c.yaml", Data: []byte(strings.ReplaceAll(bomb(), "*", "a"))}}
	cost := func(files []configs.File) float64 {
		return testing.AllocsPerRun(10, func() {
			if _, err := configs.Parse(files, environment, secretFile); err == nil {
				t.Error("no problem is reported")
			}
		})
	}
	if exploding, plain := cost(files), cost(harmless); exploding > 2*plain {
		t.Errorf("the bomb takes %.0f allocations, the same text without aliases %.0f", exploding, plain)
	}
}

func TestNestingIsBounded(t *testing.T) {
	t.Parallel()
	indented := func(levels int) string {
		var b strings.Builder
		for i := range levels {
			b.WriteString(strings.Repeat(" ", i) + "a:\n")
		}
		return b.String()
	}
	var chain strings.Builder
	chain.WriteString("a0: &a0 [x]\n")
	for i := 1; i < 70; i++ {
		fmt.Fprintf(&chain, "a%d: &a%d [*a%d]\n", i, i, i-1)
	}
	for name, text := range map[string]string{
		"brackets":          strings.Repeat("[", 1<<19),
		"braces":            strings.Repeat("{a: ", 1<<17),
		"brackets, closed":  strings.Repeat("[", 500) + strings.Repeat("]", 500),
		"dashes":            strings.Repeat("- ", 1<<18),
		"question marks":    strings.Repeat("? ", 1<<18),
		"indentation":       indented(1000),
		"one too many":      indented(65) + strings.Repeat(" ", 65) + "b",
		"aliases of others": chain.String(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := configs.Parse([]configs.File{{Name: "c.yaml", Data: []byte(text)}}, environment, secretFile)
			if err == nil || !strings.Contains(err.Error(), "nested deeper than 64 levels") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Long runs of what the YAML reader treats specially are errors, not hangs.
func TestLongRuns(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"&a ", "!a ", "*a ", "a: ", "---\n", "...\n", "%A\n", "#\n", "\"", "'", "|\n", ">\n", ",", "\\", "- \n", "a\n", "{}", "[]", "? \n", ": ", "<<: ", "&a\n"} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			text := strings.Repeat(word, 100_000/len(word))
			if _, err := configs.Parse([]configs.File{{Name: "c.yaml", Data: []byte(text)}}, environment, secretFile); err == nil {
				t.Error("no problem is reported")
			}
		})
	}
}
