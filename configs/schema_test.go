package configs_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/tools/txtar"

	"plumbline/configs"
)

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := configs.Schema()
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	if err := compiler.AddResource("plumbline.schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("plumbline.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// editor reads a file as an editor does that checks it against the schema.
func editor(t *testing.T, text string) any {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatalf("%v in %s", err, asJSON)
	}
	return value
}

// An editor accepts what Load accepts: the examples, the starting configuration
// and a configuration that uses every option.
func TestSchemaAcceptsWhatLoads(t *testing.T) {
	t.Parallel()
	schema := compiledSchema(t)
	// An editor has one text for a key, whether it is a number or in quotes.
	whole := strings.Replace(wholeConfiguration, `"1": TEXT, `, "", 1)
	texts := map[string]string{"starter": string(configs.Starter()), "whole": whole, "tiny": tiny}
	examples, err := filepath.Glob("examples/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range examples {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[path] = string(text)
	}
	for name, text := range texts {
		if err := schema.Validate(editor(t, text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An editor refuses every key that Load calls unknown.
func TestSchemaRefusesUnknownKeys(t *testing.T) {
	t.Parallel()
	schema := compiledSchema(t)
	archives, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, path := range archives {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		inputs, wants := casesOf(archive)
		for _, c := range inputs {
			if len(c.files) > 1 || !strings.Contains(wants[c.name], ": unknown key ") || strings.Contains(wants[c.name], "written twice") {
				continue
			}
			refused++
			if err := schema.Validate(editor(t, string(c.files[0].Data))); err == nil {
				t.Errorf("%s: the schema accepts it, Load does not:\n%s", c.name, wants[c.name])
			}
		}
	}
	if refused < 10 {
		t.Errorf("only %d cases have an unknown key", refused)
	}
}

// Everything in the schema is closed and described.
func TestSchemaIsClosedAndDescribed(t *testing.T) {
	t.Parallel()
	text, err := configs.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	properties := 0
	var walk func(path string, value any)
	walk = func(path string, value any) {
		object, ok := value.(map[string]any)
		if !ok {
			return
		}
		if keys, ok := object["properties"].(map[string]any); ok {
			if object["additionalProperties"] != false {
				t.Errorf("%s accepts unknown keys", path)
			}
			for name, key := range keys {
				properties++
				description, _ := key.(map[string]any)["description"].(string)
				if standard, has := key.(map[string]any)["default"]; description == "" || has && !strings.Contains(description, "Default "+strings.Trim(mustJSON(t, standard), `"`)) {
					t.Errorf("%s.%s is described as %q", path, name, description)
				}
			}
		}
		for name, below := range object {
			walk(path+"."+name, below)
		}
	}
	walk("", root)
	if properties < 100 {
		t.Errorf("only %d keys", properties)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
