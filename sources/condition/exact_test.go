package condition

import (
	"strings"
	"testing"

	"plumbline/sources"
)

// A number of an expression is the one that is written, whatever a float can hold.
func TestANumberOfAnExpressionIsTheOneWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"n > 12345678901234567.89": true, "n < 12345678901234567.91": true, "n == 12345678901234567.90": true, "n == 12345678901234567.8": false,
		`label == "ключ 😀" and n > 12345678901234567.89`: true, "n > 1.5e3": true, "n > .5": true, "n > 1_000.5": true, "-n < -12345678901234567.89": true,
		"(n) > ((12345678901234567.89)) + 0.00": true,
	} {
		c, err := Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		n, err := sources.ParseDecimal("12345678901234567.90")
		if err != nil {
			t.Fatal(err)
		}
		holds, err := c.Holds(func(path string) sources.Value {
			if path == "label" {
				return sources.Text("ключ 😀")
			}
			return n
		})
		if err != nil || holds != want {
			t.Errorf("%s: %v, %v", text, holds, err)
		}
	}
}

// A number of millions of digits, which takes minutes to read, is none.
func TestANumberOfEndlessDigitsHasNoOrder(t *testing.T) {
	t.Parallel()
	c, err := Compile("n > 5")
	if err != nil {
		t.Fatal(err)
	}
	n, err := sources.ParseDecimal(strings.Repeat("7", 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	if holds, err := c.Holds(func(string) sources.Value { return n }); err == nil || len(err.Error()) > 200 {
		t.Errorf("%v, %.200v", holds, err)
	}
}
