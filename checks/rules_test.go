package checks

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/apd/v3"

	"plumbline/sources"
)

func TestRules(t *testing.T) {
	t.Parallel()
	file, err := os.Open("testdata/rules.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows := 0
	lines := bufio.NewScanner(file)
	for number := 1; lines.Scan(); number++ {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		rows++
		if err := checkRow(line); err != nil {
			t.Errorf("testdata/rules.txt:%d: %s\n%v", number, line, err)
		}
	}
	if lines.Err() != nil || rows < 140 {
		t.Fatalf("read %d rows, %v", rows, lines.Err())
	}
}

func checkRow(line string) error {
	cells := strings.Split(line, "|")
	if len(cells) != 4 {
		return fmt.Errorf("a row has four cells")
	}
	owner, err := parseValue(strings.TrimSpace(cells[0]))
	if err != nil {
		return err
	}
	replica, err := parseValue(strings.TrimSpace(cells[1]))
	if err != nil {
		return err
	}
	rule, err := parseRule(strings.Fields(cells[2]))
	if err != nil {
		return err
	}
	verdict, words, _ := strings.Cut(strings.TrimSpace(cells[3]), ": ")
	equal, note := rule.judge(owner, replica)
	if equal != (verdict == "equal") || !equal && verdict != "mismatch" || !strings.Contains(note, words) {
		return fmt.Errorf("got equal %v, note %q", equal, note)
	}
	if rule.plain() { // the plain rule has no sides
		if back, _ := rule.judge(replica, owner); back != equal {
			return fmt.Errorf("with the sides swapped: equal %v", back)
		}
	}
	for _, v := range []sources.Value{owner, replica} {
		plain := Rule{Precision: -1}
		if same, note := plain.judge(v, v); !same {
			return fmt.Errorf("%v differs from itself: %s", v, note)
		}
	}
	return nil
}

// parseValue reads a value of the table: its kind and its text.
func parseValue(s string) (sources.Value, error) {
	kind, text, _ := strings.Cut(s, " ")
	text = strings.TrimSpace(text)
	switch kind {
	case "null":
		return sources.Null(), nil
	case "absent":
		return sources.Value{}, nil
	case "int":
		i, err := strconv.ParseInt(text, 10, 64)
		return sources.Int(i), err
	case "bool":
		return sources.Bool(text == "true"), nil
	case "decimal":
		return sources.ParseDecimal(text)
	case "float", "float32":
		f, err := strconv.ParseFloat(text, 64)
		if kind == "float32" {
			return sources.Float32(float32(f)), err
		}
		return sources.Float(f), err
	case "text":
		var out string
		err := json.Unmarshal([]byte(text), &out)
		return sources.Text(out), err
	case "bytes":
		b, err := hex.DecodeString(text)
		return sources.Bytes(b), err
	case "json":
		return sources.ParseJSON([]byte(text))
	case "time", "naive":
		return parseTimeValue(kind, text)
	case "date":
		return sources.As(sources.Text(text), sources.KindDate, nil)
	case "uuid":
		return sources.As(sources.Text(text), sources.KindUUID, nil)
	case "objectid":
		return sources.As(sources.Text(text), sources.KindObjectID, nil)
	case "duration":
		return parseDurationValue(text)
	}
	return sources.Value{}, fmt.Errorf("unknown kind %q", kind)
}

func parseTimeValue(kind, text string) (sources.Value, error) {
	zone := time.UTC
	if kind == "naive" {
		zone = nil
	}
	v, ok := sources.ParseTime(text, zone)
	if !ok {
		return v, fmt.Errorf("%q is no time", text)
	}
	_, fraction, _ := strings.Cut(text, ".")
	return v.WithPrecision(len(fraction) - len(strings.TrimLeft(fraction, "0123456789"))), nil
}

func parseDurationValue(text string) (sources.Value, error) {
	if n, ok := strings.CutSuffix(text, "mon"); ok {
		months, err := strconv.Atoi(n)
		return sources.Duration(int32(months), 0, 0), err
	}
	if n, ok := strings.CutSuffix(text, "d"); ok {
		days, err := strconv.Atoi(n)
		return sources.Duration(0, int32(days), 0), err
	}
	d, err := time.ParseDuration(text)
	return sources.Duration(0, 0, int64(d)), err
}

func parseRule(words []string) (Rule, error) {
	r := Rule{Precision: -1}
	for len(words) > 0 {
		option := words[0]
		words = words[1:]
		take := func() string {
			if len(words) == 0 {
				return ""
			}
			word := words[0]
			words = words[1:]
			return word
		}
		switch option {
		case "exact":
		case "fold":
			for len(words) > 0 {
				word := take()
				r.FoldCase, r.FoldSpace = r.FoldCase || word == "case", r.FoldSpace || word == "space"
			}
		case "trim":
			side := take()
			r.TrimLeft, r.TrimRight = side != "right", side != "left"
		case "unicode":
			r.NFC = take() == "nfc"
		case "order":
			r.AnyOrder = take() == "ignore"
		case "precision":
			r.Precision = map[string]int{"s": 0, "ms": 3, "us": 6}[take()]
		case "within", "within_percent":
			word := take()
			if d, err := time.ParseDuration(word); err == nil && strings.Trim(word, "0123456789.") != "" {
				r.WithinTime = d
				break
			}
			d, _, err := apd.NewFromString(word)
			if err != nil {
				return r, err
			}
			if option == "within" {
				r.Within = d
			} else {
				r.WithinPercent = d
			}
		case "map":
			r.Map = []MapPair{}
			for len(words) > 0 {
				from, to, _ := strings.Cut(take(), "=")
				i, err := strconv.ParseInt(from, 10, 64)
				if err != nil {
					return r, err
				}
				r.Map = append(r.Map, MapPair{sources.Int(i), sources.Text(to)})
			}
		case "null_equals":
			for len(words) > 0 {
				if word := take(); word == "absent" {
					r.NullEquals = append(r.NullEquals, sources.Value{})
				} else {
					r.NullEquals = append(r.NullEquals, sources.Text(strings.Trim(word, `"`)))
				}
			}
		case "as", "tz":
			field := &r.Owner
			if take() == "replica" {
				field = &r.Replica
			}
			word := take()
			if option == "as" {
				field.As, _ = sources.KindByName(word)
				break
			}
			zone, err := time.LoadLocation(word)
			if err != nil {
				return r, err
			}
			field.Zone = zone
		default:
			return r, fmt.Errorf("unknown option %q", option)
		}
	}
	return r, nil
}

func TestToleranceIsNoHidingPlaceForSpecials(t *testing.T) {
	t.Parallel()
	r := Rule{Precision: -1, Within: apd.New(1_000_000, 0)}
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if equal, _ := r.judge(sources.Float(v), sources.Float(0)); equal {
			t.Errorf("%v is within a million of 0", v)
		}
	}
}

func TestInvariants(t *testing.T) {
	t.Parallel()
	values := map[string]sources.Value{"price": sources.Decimal("1250", -2, 2), "state": sources.Text("A"), "gone": sources.Null(),
		"on": sources.Bool(true), "items.total": sources.Float(25), "items.quantity": sources.Int(2), "cents": sources.Int(1250)}
	of := func(name string) sources.Value { return values[name] }
	cases := []struct{ expr, want string }{
		{"replica['items.total'] == owner.price * replica['items.quantity']", "true"},
		{"owner.price * 100 == replica.cents", "true"},
		{"owner.price > 0.1 and owner.price < 100", "true"},
		{"owner.price < 0.1 or not (owner.price == 12.5)", "false"},
		{"-owner.price < 0", "true"},
		{"owner.state == 'A'", "true"},
		{"owner.state != 'A'", "false"},
		{"owner.on", "true"},
		{"owner.price + 0.1 == 12.6", "true"},
		{"round(owner.price / 3, 2) == 4.17", "true"},
		{"round(-2.5 * owner.price / owner.price, 0) == -3", "true"},
		{"abs(owner.price - 13) <= 0.5", "true"},
		{"owner.price % 5 == 2.5", "true"},
		{"empty(owner.gone) and not empty(owner.price)", "true"},
		{"owner.gone == nil", "true"},
		{"owner.gone + 1 == 2", "null is no number"},
		{"owner.price / 0 == 1", "division by zero"},
		{"owner.state > 1", "have no order"},
		{"owner.price and owner.on", "decimal 12.50 is no condition"},
		{"owner.price", "decimal 12.50 is no condition"},
	}
	for _, c := range cases {
		inv, err := CompileInvariant("x", c.expr)
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		holds, err := inv.Program.holds(of, of)
		if got := fmt.Sprint(holds); err == nil && got != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v, want %s", c.expr, holds, err, c.want)
		}
	}
	for expr, want := range map[string]string{
		"1 == 1":                  "names no field",
		"owner.price + 1":         "is no condition",
		"foo.bar == 1":            "is no field",
		"owner.a.b == 1":          "is no field",
		"owner[owner.x] == 1":     "is no field",
		"len(owner) == 1":         `unknown function "len"`,
		"owner.x == ":             "unexpected token",
		"price == 1":              `unknown name "price"`,
		"owner.x matches 'a.*'":   `operator "matches"`,
		"abs(owner.x, 1) == 1":    "abs takes 1 arguments, not 2",
		"owner.x ? true : false":  "is not part of the language",
		"owner.x in [1, 2]":       "is not part of the language",
		"let a = owner.x; a == 1": "is not part of the language",
	} {
		if _, err := CompileInvariant("x", expr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", expr, err, want)
		}
	}
}
