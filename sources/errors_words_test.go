package sources_test

import (
	"testing"

	"plumbline/sources"
)

func TestErrorsAboutDataDoNotQuoteIt(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		`invalid input syntax for type numeric: "a "b" c"`:                    `invalid input syntax for type numeric: …`,
		`value "99999999999" is out of range for type integer`:                `value … is out of range for type integer`,
		`Failed to parse number 'it's' in $convert with no onError value`:     `Failed to parse number … in $convert with no onError value`,
		`Ungültige Eingabe für Typ numeric: „x@y“`:                            `Ungültige Eingabe für Typ numeric: …`,
		`PlanExecutor error :: caused by :: cannot use { _id: 1, mail: x } y`: `PlanExecutor error :: caused by :: cannot use … y`,
		`division by zero`: `division by zero`,
		``:                 ``,
	} {
		if got := sources.Quoteless(said); got != want {
			t.Errorf("Quoteless(%q) = %q, want %q", said, got, want)
		}
	}
}
