package configs

import (
	"encoding/json"
	"fmt"
	"strings"
)

// object is a JSON object.
type object = map[string]any

// definitions are the named parts of the JSON Schema, as they are met.
type definitions object

// Schema returns the JSON Schema (2020-12) of one configuration file, for
// editors. It is made of the declarations that Load reads by; what needs two
// keys to be seen together (owner or defaults, replica or replicas) Load checks alone.
func Schema() ([]byte, error) {
	d := definitions{"expansion": object{
		"type": "string", "pattern": `\$\{`,
		"description": "${NAME}, ${NAME:-default} or ${file:/path} in quotes stands for a value from the environment or a file.",
	}}
	root := configuration()
	out := root.object(d)
	out["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	out["title"] = "Plumbline configuration"
	out["$defs"] = d
	b, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write JSON Schema: %w", err)
	}
	return append(b, '\n'), nil
}

func (s scalar) schema(definitions) object {
	if s.editor["type"] == "string" && s.editor["pattern"] == nil { // any text matches already
		return s.editor
	}
	return object{"anyOf": []any{s.editor, object{"$ref": "#/$defs/expansion"}}}
}

func (l list) schema(d definitions) object {
	out := object{"type": "array", "items": l.of.schema(d)}
	if l.few != "" {
		out["minItems"] = 1
	}
	return out
}

func (e either) schema(d definitions) object {
	options := make([]any, len(e.of))
	for i, s := range e.of {
		options[i] = s.schema(d)
	}
	return object{"anyOf": options}
}

func (v dict) schema(d definitions) object {
	out := object{"type": "object", "additionalProperties": v.of.schema(d)}
	if v.few != "" {
		out["minProperties"] = 1
	}
	return out
}

func (valueMap) schema(definitions) object {
	return object{"type": "object", "minProperties": 1, "additionalProperties": object{"type": []string{"string", "number", "boolean", "null"}}}
}

func (jsonTree) schema(definitions) object { return object{"type": []string{"object", "array"}} }

// schema of a record is a reference to its definition, made when first met.
func (rec *record) schema(d definitions) object {
	if _, known := d[rec.name]; !known {
		d[rec.name] = nil // so that a record which holds itself ends
		d[rec.name] = rec.object(d)
	}
	return object{"$ref": "#/$defs/" + rec.name}
}

func (rec *record) object(d definitions) object {
	properties, required := object{}, []string{}
	for _, k := range rec.keys {
		if k.misplaced != "" {
			continue
		}
		properties[k.name] = k.schema(d)
		if k.required {
			required = append(required, k.name)
		}
	}
	out := object{"type": "object", "description": rec.doc, "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// schema describes a key: its shape, its meaning and its default.
func (k *key) schema(d definitions) object {
	out := object{}
	for name, value := range k.value.schema(d) { // a copy: scalars hand out their own
		out[name] = value
	}
	out["description"] = k.describe()
	if k.standard != "" {
		out["default"] = k.standard
		if written := (written{text: k.standard}); plainForm(k.standard) == formInteger || plainForm(k.standard) == formBool {
			out["default"] = json.RawMessage(written.text)
		}
	}
	return out
}

// describe says in words what a key means, and its default.
func (k *key) describe() string {
	words := k.doc
	if k.standard != "" && !strings.Contains(words, "Default") {
		words += " Default " + k.standard + "."
	}
	return words
}
