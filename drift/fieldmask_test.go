package drift

import (
	"testing"

	"plumbline/checks"
	"plumbline/sources"
)

func TestAFieldOfTheReplicaIsHiddenAsMuchAsWhatItHoldsOrLiesIn(t *testing.T) {
	t.Parallel()
	rule := func(name string, mask checks.Mask) checks.Rule {
		return checks.Rule{Owner: checks.FieldRef{Name: name}, Replica: checks.FieldRef{Name: name}, Mask: mask}
	}
	check := &checks.Check{Owner: checks.Side{Dataset: sources.Dataset{Key: []string{"email"}}, Masks: []checks.Mask{checks.MaskHash}}}
	edge := &checks.Edge{Rules: []checks.Rule{rule("price", checks.MaskNone), rule("card.number", checks.MaskFull), rule("card.brand", checks.MaskNone), rule("name", checks.MaskPartial)},
		Replica: checks.Side{Version: "rev", Dataset: sources.Dataset{Key: []string{"mail"}, ID: []string{"copy"}, Scope: []sources.Condition{{Field: "tenant"}}}}}
	for name, want := range map[string]checks.Mask{
		"price": checks.MaskNone, "price.cents": checks.MaskNone, "card.number": checks.MaskFull, "card.number.last": checks.MaskFull,
		"card": checks.MaskFull, "card.brand": checks.MaskNone, "name": checks.MaskPartial, "mail": checks.MaskHash, "copy": checks.MaskNone,
		"tenant": checks.MaskNone, "rev": checks.MaskNone, "salary": checks.MaskFull, "pricey": checks.MaskFull,
	} {
		if got := FieldMask(check, edge, name); got != want {
			t.Errorf("%s is hidden by %d, want %d", name, got, want)
		}
	}
}
