package condition_test

import (
	"fmt"
	"strings"
	"testing"

	"plumbline/sources"
	"plumbline/sources/condition"
)

func record(t *testing.T) func(string) sources.Value {
	t.Helper()
	v, err := sources.ParseJSON([]byte(`{"state":"gone","n":6,"price":12.50,"on":true,"off":false,"none":null,"blank":"",
		"big":9007199254740993,"address":{"city":"Oslo"},"first-name":"Ada","in":{"x":1},"list":[1]}`))
	if err != nil {
		t.Fatal(err)
	}
	return v.Get
}

func TestConditionsHoldAsInSQL(t *testing.T) {
	t.Parallel()
	get := record(t)
	for text, want := range map[string]string{
		`state == "gone" && n > 5`:       "true",
		`state == 'gone' and n > 6`:      "false",
		`address.city == "Oslo"`:         "true",
		`address['city'] == "Oslo"`:      "true",
		`$env['address.city'] == "Oslo"`: "true",
		`$env['first-name'] == "Ada"`:    "true",
		`price == 12.5`:                  "true",
		`price * 3 == 37.5`:              "true",
		`price - 0.1 == 12.4`:            "true",
		`big == 9007199254740992`:        "false",
		`big > 9007199254740992`:         "true",
		`on`:                             "true",
		`off`:                            "false",
		`not off`:                        "true",
		`state == 6`:                     "false",
		`n == "6"`:                       "false",
		`none == 1`:                      "false",
		`none != 1`:                      "false",
		`not (none == 1)`:                "false",
		`not (nowhere == 1)`:             "false",
		`nowhere > 1`:                    "false",
		`nowhere + 1 > 1`:                "false",
		`abs(nowhere) >= 0 or round(none, 2) == 0`:  "false",
		`nowhere == 1 or on`:                        "true",
		`on or nowhere == 1`:                        "true",
		`not (nowhere == 1 and off)`:                "true",
		`not (nowhere == 1 and on)`:                 "false",
		`none`:                                      "false",
		`not none`:                                  "false",
		`filled(state) and not filled(none)`:        "true",
		`not filled(nowhere) and not filled(a.b.c)`: "true",
		`filled(blank) and empty(blank)`:            "true",
		`empty(none) and empty(nowhere)`:            "true",
		`state.deeper == "x"`:                       "false",
		`state > "a" and state < "h"`:               "true",
		`abs(0 - n) == 6 and -n == -6`:              "true",
		`round(price / 3, 2) == 4.17`:               "true",
		`state > 1`:                                 "text and int have no order",
		`n and on`:                                  "int is no condition",
		`state`:                                     "text is no condition",
		`state + 1 == 1`:                            "text is no number",
		`list > 1`:                                  "list and int have no order",
		`n / 0 == 1`:                                "division by zero",
	} {
		c, err := condition.Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		holds, err := c.Holds(get)
		if err == nil && fmt.Sprint(holds) != want || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want %s", text, holds, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "gone") {
			t.Errorf("%s: the error quotes a value: %v", text, err)
		}
	}
}

func TestAConditionNamesEachFieldOnce(t *testing.T) {
	t.Parallel()
	c, err := condition.Compile(`a.b == 1 and a.b < 2 or $env['c-d'] == a.e`)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.Fields(), " "); got != "a.b c-d a.e" {
		t.Error(got)
	}
}

func TestConditionsThatMakeNoSenseAreFinal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``:                     "unexpected token",
		`1 == 1`:               "names no field",
		`state ==`:             "unexpected token",
		`price + 1`:            "is no condition",
		`state = 'x'`:          "(1:",
		`a[b] == 1`:            "is no field",
		`$env == 1`:            "is no field",
		`x == nil`:             "write filled(x)",
		`len(x) == 1`:          `unknown function "len"`,
		`x matches 'a'`:        `operator "matches"`,
		`x in [1, 2]`:          "is not part of the language",
		`filled(x, y)`:         "takes 1 arguments",
		`DROP TABLE x`:         "unexpected token",
		`let a = x; a == 1`:    "is not part of the language",
		`x ? true : false`:     "is not part of the language",
		strings.Repeat("(", 9): "unexpected token",
	} {
		_, err := condition.Compile(text)
		if err == nil || !strings.Contains(err.Error(), want) || sources.FailureOf(err) != sources.FailureFinal {
			t.Errorf("%s: %v, want a final error with %q", text, err, want)
		}
	}
}
