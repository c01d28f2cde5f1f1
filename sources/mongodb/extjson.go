package mongodb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// parseCondition reads a filter document in extended JSON; nil for none.
func parseCondition(what, text string) (any, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	raw, err := parseJSON(text, '{')
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return raw, nil
}

// parsePipeline reads an array of stages in extended JSON; nil for none. Stages
// that write are refused.
func parsePipeline(text string) ([]bson.Raw, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	array, err := parseJSON(text, '[')
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	values, err := array.Values()
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	stages := make([]bson.Raw, len(values))
	for i, v := range values {
		stage, ok := v.DocumentOK()
		if !ok {
			return nil, fmt.Errorf("pipeline: stage %d is no document", i+1)
		}
		members, err := stage.Elements()
		if err != nil {
			return nil, fmt.Errorf("pipeline: stage %d: %w", i+1, err)
		}
		for _, m := range members {
			if name := m.Key(); name == "$out" || name == "$merge" {
				return nil, fmt.Errorf("pipeline: stage %d, %s, writes: a dataset is only read", i+1, name)
			}
		}
		stages[i] = stage
	}
	return stages, nil
}

// parseJSON reads one document or array, as the opening character says, and nothing after it.
func parseJSON(text string, opening byte) (bson.Raw, error) {
	// The driver's reader stops behind the first value; package json sees the rest.
	decoder := json.NewDecoder(strings.NewReader(text))
	var first json.RawMessage
	if err := decoder.Decode(&first); err != nil {
		return nil, fmt.Errorf("read extended JSON: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("read extended JSON: text follows the first value")
	}
	first = bytes.TrimSpace(first)
	if first[0] != opening {
		return nil, fmt.Errorf("read extended JSON: it must begin with %c", opening)
	}
	var wrapped bson.Raw
	if err := bson.UnmarshalExtJSON(append(append([]byte(`{"v":`), first...), '}'), false, &wrapped); err != nil {
		return nil, fmt.Errorf("read extended JSON: %w", err)
	}
	value := wrapped.Lookup("v")
	if value.Type != bson.TypeEmbeddedDocument && value.Type != bson.TypeArray {
		return nil, fmt.Errorf("read extended JSON: it is a %s, no condition", value.Type)
	}
	return bson.Raw(value.Value), nil
}
