package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"plumbline/sources"
)

// decodeArray reads an array of elements, one of several dimensions as lists of
// lists. Where its indexes begin is no part of the value.
func decodeArray(element func([]byte) (sources.Value, error)) func([]byte) (sources.Value, error) {
	return func(raw []byte) (sources.Value, error) {
		if len(raw) < 12 {
			return sources.Value{}, fmt.Errorf("an array %w", errBinary)
		}
		dimensions := int(int32(binary.BigEndian.Uint32(raw)))
		raw = raw[12:]
		if dimensions == 0 {
			return sources.ListOf(nil), nil
		}
		if dimensions < 0 || len(raw) < 8*dimensions {
			return sources.Value{}, fmt.Errorf("an array %w", errBinary)
		}
		lengths := make([]int, dimensions)
		for i := range lengths {
			lengths[i] = int(int32(binary.BigEndian.Uint32(raw[8*i:])))
		}
		v, _, err := decodeDimension(raw[8*dimensions:], lengths, element)
		return v, err
	}
}

func decodeDimension(raw []byte, lengths []int, element func([]byte) (sources.Value, error)) (v sources.Value, rest []byte, err error) {
	if lengths[0] < 0 || lengths[0] > len(raw)/4 && len(lengths) == 1 {
		return v, nil, fmt.Errorf("an array %w", errBinary)
	}
	items := make([]sources.Value, 0, min(lengths[0], len(raw)/4))
	for range lengths[0] {
		if len(lengths) > 1 {
			v, raw, err = decodeDimension(raw, lengths[1:], element)
		} else {
			v, raw, err = decodeElement(raw, element)
		}
		if err != nil {
			return v, nil, err
		}
		items = append(items, v)
	}
	return sources.ListOf(items), raw, nil
}

func decodeElement(raw []byte, element func([]byte) (sources.Value, error)) (v sources.Value, rest []byte, err error) {
	if len(raw) < 4 || int64(int32(binary.BigEndian.Uint32(raw))) > int64(len(raw)-4) {
		return v, nil, fmt.Errorf("an array %w", errBinary)
	}
	item, rest, null := cutColumn(raw)
	if null {
		return sources.Null(), rest, nil
	}
	v, err = element(item)
	return v, rest, err
}

var errArrayText = errors.New("an array's text is not as array_out writes it")

// arrayText reads the text form of an array whose elements have no binary form
// that we know: {a,"b c",NULL}, nested, perhaps behind its bounds ([0:1]=).
type arrayText struct{ delimiter byte }

func (a arrayText) decode(raw []byte) (sources.Value, error) {
	text := string(raw)
	if strings.HasPrefix(text, "[") {
		_, text, _ = strings.Cut(text, "=")
	}
	v, rest, err := a.items(text, sources.MaxDepth)
	if err == nil && rest != "" {
		err = errArrayText
	}
	return v, err
}

func (a arrayText) items(text string, depth int) (v sources.Value, rest string, err error) {
	if !strings.HasPrefix(text, "{") || depth == 0 {
		return v, "", errArrayText
	}
	items := []sources.Value{}
	for text = text[1:]; text != ""; {
		switch text[0] {
		case '}':
			return sources.ListOf(items), text[1:], nil
		case a.delimiter:
			text = text[1:]
			continue
		case '{':
			v, text, err = a.items(text, depth-1)
		case '"':
			v, text, err = quotedItem(text[1:])
		default:
			v, text, err = a.bareItem(text)
		}
		if err != nil {
			return v, "", err
		}
		items = append(items, v)
	}
	return v, "", errArrayText
}

func (a arrayText) bareItem(text string) (v sources.Value, rest string, err error) {
	end := strings.IndexAny(text, string(a.delimiter)+"}")
	if end < 0 {
		return v, "", errArrayText
	}
	if text[:end] == "NULL" {
		return sources.Null(), text[end:], nil
	}
	return sources.Text(text[:end]), text[end:], nil
}

func quotedItem(text string) (v sources.Value, rest string, err error) {
	var item []byte
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			return sources.Text(string(item)), text[i+1:], nil
		case '\\':
			if i++; i == len(text) {
				return v, "", errArrayText
			}
		}
		item = append(item, text[i])
	}
	return v, "", errArrayText
}
