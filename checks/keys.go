package checks

import (
	"fmt"
	"strings"

	"plumbline/sources"
)

// A key is matched in canonical form, which both sides' forms lead to: integral
// numbers as ints, uuids and objectids as lower-case text, and, where either
// side declares that it writes a part as text, that part as text on both.

// canonicalKey turns a key as one side writes it into canonical form. An error
// says why the key cannot be one of this check's.
func canonicalKey(native sources.Key, mine, other []KeyForm) (sources.Key, error) {
	canonical := make(sources.Key, len(native))
	for i, v := range native {
		form := formOf(mine, i)
		if v.IsAbsent() || v.IsNull() {
			return nil, fmt.Errorf("key part %d is %s", i+1, v.Kind())
		}
		if form.Prefix != "" {
			rest, ok := strings.CutPrefix(v.AsText(), form.Prefix)
			if !ok || v.Kind() != sources.KindText {
				return nil, fmt.Errorf("key part %d, %s, does not begin with %q", i+1, v, form.Prefix)
			}
			v = sources.Text(rest)
		}
		if form.As != sources.KindAbsent && form.As != sources.KindText {
			converted, err := sources.As(v, form.As, nil)
			if err != nil {
				return nil, fmt.Errorf("key part %d: %w", i+1, err)
			}
			v = converted
		}
		v = sources.Canonical(v)
		if textual(form) || textual(formOf(other, i)) {
			if v.Kind() == sources.KindList || v.Kind() == sources.KindDocument {
				return nil, fmt.Errorf("key part %d is a %s", i+1, v.Kind())
			}
			v = sources.Text(v.String())
		}
		canonical[i] = v.WithPrecision(0)
	}
	return canonical, nil
}

func formOf(forms []KeyForm, i int) KeyForm {
	if i < len(forms) {
		return forms[i]
	}
	return KeyForm{}
}

func textual(f KeyForm) bool { return f.As == sources.KindText || f.Prefix != "" }

// nativeKeys returns the keys under which a side could hold a canonical key:
// none where the side's declared kind cannot hold it, several where the side
// does not keep to one kind.
func nativeKeys(canonical sources.Key, mine, other []KeyForm, types []sources.FieldType) []sources.Key {
	keys := []sources.Key{make(sources.Key, 0, len(canonical))}
	for i, v := range canonical {
		parts := nativeParts(v, formOf(mine, i), formOf(other, i), types[i])
		grown := make([]sources.Key, 0, len(keys)*len(parts))
		for _, k := range keys {
			for _, p := range parts {
				grown = append(grown, append(k[:len(k):len(k)], p))
			}
		}
		keys = grown
	}
	return keys
}

// nativeParts goes by what the store declares before what the configuration
// says the side writes: the store is what is asked.
func nativeParts(v sources.Value, mine, other KeyForm, declared sources.FieldType) []sources.Value {
	if mine.Prefix != "" {
		return []sources.Value{sources.Text(mine.Prefix + v.String())}
	}
	parts := exactly(nil, v, declared.Kind)
	if declared.Kind == sources.KindBytes {
		parts = packed(parts, v, mine.As)
	}
	if declared.Strict && declared.Kind != sources.KindAbsent {
		return parts
	}
	if mine.As != sources.KindAbsent {
		return exactly(parts, v, mine.As)
	}
	parts = exactly(parts, v, v.Kind())
	if textual(other) {
		parts = exactly(parts, v, sources.KindInt)
	}
	return parts
}

// packed adds the bytes that are read as v: a uuid's 16, an objectid's 12.
func packed(parts []sources.Value, v sources.Value, as sources.Kind) []sources.Value {
	if !identifier(as) {
		return parts
	}
	id, err := sources.As(v, as, nil)
	if err != nil || !sources.Canonical(id).Equal(v) {
		return parts
	}
	if w, err := sources.As(id, sources.KindBytes, nil); err == nil {
		parts = append(parts, w)
	}
	return parts
}

// exactly adds v as kind to parts, where that leads back to v and is not there yet.
func exactly(parts []sources.Value, v sources.Value, kind sources.Kind) []sources.Value {
	if kind == sources.KindAbsent {
		return parts
	}
	w, err := sources.As(v, kind, nil)
	if err != nil || w.String() != v.String() && !sources.Canonical(w).Equal(v) {
		return parts
	}
	for _, p := range parts {
		if p.Equal(w) {
			return parts
		}
	}
	return append(parts, w)
}
