package web_test

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"testing"
)

// Every colour that writes can be read on every ground it stands on, by WCAG 2.2
// AA: text at 4.5 to 1, the edges of controls and the cells of strips at 3 to 1.
func TestColoursCanBeRead(t *testing.T) {
	t.Parallel()
	style, err := os.ReadFile("assets/app.css")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile(`(?s):root \{(.*?)\n *\}`).FindAllStringSubmatch(string(style), -1)
	if len(blocks) != 2 {
		t.Fatalf("%d sets of colours, want a light and a dark one", len(blocks))
	}
	for i, scheme := range []string{"light", "dark"} {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{3,6});`).FindAllStringSubmatch(blocks[i][1], -1) {
			colours[m[1]] = m[2]
		}
		pairs := [][3]string{{"on-accent", "accent", "4.5"}, {"strong-line", "surface", "3"}, {"strong-line", "ground", "3"}}
		for _, ground := range []string{"ground", "surface", "raised"} {
			for _, text := range []string{"text", "soft", "link", "ok", "drift", "warn", "unknown", "info", "idle"} {
				pairs = append(pairs, [3]string{text, ground, "4.5"})
			}
		}
		for _, tone := range []string{"ok", "drift", "warn", "unknown", "info", "idle"} {
			pairs = append(pairs, [3]string{tone, tone + "-tint", "4.5"})
		}
		for _, ground := range []string{"ok-tint", "drift-tint"} { // values stand on these
			pairs = append(pairs, [3]string{"text", ground, "4.5"}, [3]string{"soft", ground, "4.5"})
		}
		for _, p := range pairs {
			least, err := strconv.ParseFloat(p[2], 64)
			if err != nil {
				t.Fatal(err)
			}
			if got := contrast(t, colours[p[0]], colours[p[1]]); got < least {
				t.Errorf("%s: %s on %s is %.2f to 1, want %s", scheme, p[0], p[1], got, p[2])
			}
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (math.Max(x, y) + .05) / (math.Min(x, y) + .05)
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	if len(colour) == 4 {
		colour = fmt.Sprintf("#%c%c%c%c%c%c", colour[1], colour[1], colour[2], colour[2], colour[3], colour[3])
	}
	n, err := strconv.ParseUint(colour[min(1, len(colour)):], 16, 32)
	if err != nil || len(colour) != 7 {
		t.Fatalf("%q is no colour", colour)
	}
	linear := func(c uint64) float64 {
		v := float64(c&255) / 255
		if v <= .04045 {
			return v / 12.92
		}
		return math.Pow((v+.055)/1.055, 2.4)
	}
	return .2126*linear(n>>16) + .7152*linear(n>>8) + .0722*linear(n)
}
