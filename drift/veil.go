package drift

import (
	"plumbline/sources"
)

// NotShown stands for a text that a store or the engine wrote, where whoever asks
// may see no value of a record: it may quote one.
const NotShown = "not shown: it may hold values"

// hidden stands for a value of which not even the mask's own form may be seen.
const hidden = "***"

// Unvalued is a text as it is shown to those who may see no value.
func Unvalued(text string) string {
	if text == "" {
		return ""
	}
	return NotShown
}

// Veil is a copy of the finding without any value of a record: no key, no id, no
// field's values, no words that may quote one. What it is, where it stands and
// which fields differ stays. It is for those who may not see values, and for
// whatever leaves the house.
func (f *Finding) Veil() *Finding {
	veiled := *f
	veiled.Key, veiled.CopyID = veilKey(f.Key), veilKey(f.CopyID)
	if f.KeyText != "" {
		veiled.KeyText = hidden
	}
	veiled.Fields = make([]Field, len(f.Fields))
	for i := range f.Fields {
		veiled.Fields[i] = f.Fields[i].veil()
	}
	veiled.Reason = Unvalued(f.Reason)
	if f.Pattern != "" {
		veiled.Pattern = veiled.plainPattern()
	}
	return &veiled
}

// plainPattern says which fields differ, or what kind of difference it is.
func (f *Finding) plainPattern() string {
	if len(f.Fields) == 0 {
		return KindWords(f.Kind, "")
	}
	words := ""
	for i := range f.Fields {
		if i > 0 {
			words += ", "
		}
		words += Visible(f.Fields[i].Title())
	}
	if len(f.Fields) == 1 {
		return words + " differs"
	}
	return words + " differ"
}

func (f *Field) veil() Field {
	veiled := *f
	veiled.Owner, veiled.Replica, veiled.Note = f.Owner.Veil(), f.Replica.Veil(), Unvalued(f.Note)
	return veiled
}

// Veil keeps what kind of value it is, and that there is none.
func (v Value) Veil() Value {
	if v.Type == "absent" || v.Type == "null" {
		return Value{Type: v.Type, Masked: true}
	}
	return Value{Type: v.Type, Text: hidden, Masked: true}
}

// veilKey keeps how many parts a key has, and whether it is whole.
func veilKey(key sources.Key) sources.Key {
	if key == nil {
		return nil
	}
	veiled := make(sources.Key, len(key))
	for i, part := range key {
		if veiled[i] = part; !part.IsAbsent() && !part.IsNull() {
			veiled[i] = sources.Text(hidden)
		}
	}
	return veiled
}

// Veil is a lens through which no value of a record is seen.
func (l Lens) Veil() Lens {
	l.veiled = true
	return l
}

// Veiled says whether it is one.
func (l Lens) Veiled() bool { return l.veiled }
