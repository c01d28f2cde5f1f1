package http

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"plumbline/sources"
	"plumbline/sources/sourcetest"
)

// TestConformance runs the suite against a real service: tables whose key is
// unique by get, those with several records at a key by batch, and those without
// an index by their list alone.
func TestConformance(t *testing.T) {
	api := serve(t)
	sourcetest.Run(t, sourcetest.Harness{
		Adapter:  "http",
		Open:     Open,
		URL:      api.url(api.host),
		Load:     api.load,
		Holds:    holds,
		HoldsKey: holdsKey,
		Condition: func(c sourcetest.Condition) string {
			switch c.Test {
			case sourcetest.Equals:
				return fmt.Sprintf("%s == %s", c.Field, strconv.Quote(c.Value.AsText()))
			case sourcetest.Above:
				return fmt.Sprintf("%s > %d", c.Field, c.Value.AsInt())
			case sourcetest.Filled:
				return fmt.Sprintf("filled(%s)", c.Field)
			}
			return c.Field + " =="
		},
		Misnamed: func(d sources.Dataset) sources.Dataset {
			list := *d.Endpoint.List
			list.Path += "x"
			d.Endpoint = &sources.Endpoint{List: &list}
			return d
		},
		Through: func(t testing.TB) (sources.Secret, sourcetest.Line) {
			w := sourcetest.NewWire(t, "tcp", api.host)
			return api.url(w.Address()), w
		},
		Unreachable: sourcetest.Unreachable{URL: "http://reader:hidden%21word@127.0.0.1:1/api?key=hidden-query", Names: "127.0.0.1:1"},
		BadURLs: []sources.Secret{"", "ftp://reader:hidden%21word@127.0.0.1/", "http://reader:hidden%21word@", "http:///api?key=hidden-query",
			"http://reader:hidden%21word@127.0.0.1:port/", "http://127.0.0.1/#hidden-query", "127.0.0.1:80/hidden-query"},
		Secrets: []string{"hidden%21word", "hidden!word", "hidden-query"},
		Cannot: map[sourcetest.Ability]string{
			sourcetest.CannotSplit:         "an API gives its list from the beginning",
			sourcetest.CannotCount:         "an API has no estimate of what it holds",
			sourcetest.CannotWrite:         "only GET is ever sent",
			sourcetest.CannotTryToWrite:    "only GET is ever sent",
			sourcetest.CannotSample:        "an API has no random order",
			sourcetest.CannotRecent:        "an API has no index that we know of",
			sourcetest.CannotGauge:         "an API does not say how busy it is, but for 429 and 503",
			sourcetest.CannotShape:         "an API declares no shape",
			sourcetest.CannotDeliverRaw:    "equal numbers have several spellings in JSON",
			sourcetest.CannotMissFields:    "an API declares no fields: one that no record on the first page has is a warning",
			sourcetest.CannotNameNear:      "an API does not list its paths",
			sourcetest.CannotKnowUnique:    "only get says that there is one record for a key",
			sourcetest.CannotHoldNullInKey: "what has no key is taken for no record",
			sourcetest.CannotMixKinds:      "in an address a number and its digits are the same",
		},
	})
}

// holds says what JSON has no value for.
func holds(v sources.Value) string {
	switch v.Kind() {
	case sources.KindAbsent, sources.KindNull, sources.KindBool, sources.KindInt, sources.KindText:
		return ""
	case sources.KindDecimal:
		if _, _, finite := v.DecimalParts(); !finite {
			return "JSON has no such number"
		}
		if _, isInt := v.Integer(); isInt && !strings.Contains(jsonOf(v), ".") {
			return "it comes back as an int"
		}
		return ""
	case sources.KindList, sources.KindDocument:
		for _, item := range v.Items() {
			if why := holds(item); why != "" {
				return why
			}
		}
		for _, f := range v.Fields() {
			if why := holds(f.Value); why != "" {
				return why
			}
		}
		return ""
	}
	return "JSON has no such kind of value"
}

func holdsKey(v sources.Value) string {
	if v.Kind() == sources.KindText && v.AsText() == "" {
		return "an empty key is no part of a path"
	}
	return holds(v)
}

// jsonOf writes a value exactly, a decimal so that it comes back as one.
func jsonOf(v sources.Value) string {
	var b strings.Builder
	switch v.Kind() {
	case sources.KindText:
		b.WriteByte('"')
		for _, c := range []byte(v.AsText()) {
			if c < ' ' || c == '"' || c == '\\' {
				fmt.Fprintf(&b, `\u%04x`, c)
			} else {
				b.WriteByte(c)
			}
		}
		b.WriteByte('"')
	case sources.KindDecimal:
		digits, exponent, _ := v.DecimalParts()
		fmt.Fprintf(&b, "%s.0e%d", digits, exponent)
	case sources.KindList:
		b.WriteByte('[')
		for i, item := range v.Items() {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(jsonOf(item))
		}
		b.WriteByte(']')
	case sources.KindDocument:
		b.WriteByte('{')
		for i, f := range v.Fields() {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(jsonOf(sources.Text(f.Name)) + ":" + jsonOf(f.Value))
		}
		b.WriteByte('}')
	default:
		b.WriteString(v.String())
	}
	return b.String()
}

// load puts a table of the suite into the service.
func (a *api) load(t testing.TB, table sourcetest.Table) sources.Dataset {
	t.Helper()
	d := sources.Dataset{Key: slices.Clone(table.Key), ID: slices.Clone(table.ID)}
	for _, c := range table.Columns {
		if !slices.Contains(table.Key, c.Name) && !slices.Contains(table.ID, c.Name) {
			d.Fields = append(d.Fields, c.Name)
		}
	}
	made := &served{get: table.Unique && len(table.ID) == 0, byKey: map[string][]int{}}
	for n, row := range table.Rows {
		var members, key []string
		for i, v := range row {
			if !v.IsAbsent() {
				members = append(members, jsonOf(sources.Text(table.Columns[i].Name))+":"+jsonOf(v))
			}
		}
		for _, k := range table.Key {
			key = append(key, sources.Canonical(row[table.Column(k)]).WithPrecision(0).String())
		}
		made.records = append(made.records, "{"+strings.Join(members, ",")+"}")
		at := strings.Join(key, "\x00|")
		made.byKey[at] = append(made.byKey[at], n)
	}
	a.put(table.Name, made)
	path := "/" + table.Name
	d.Endpoint = &sources.Endpoint{List: &sources.Listing{Path: path, Items: "$.data", Next: "$.page.next", PageSize: 200}}
	switch {
	case made.get:
		path += "/{" + strings.Join(table.Key, "}/{") + "}"
		d.Endpoint.Get = &sources.Getting{Path: path}
	case table.Indexed && len(table.Key) == 1:
		d.Endpoint.Batch = &sources.Batching{Path: path, Query: map[string]string{"ids": "{ids}"}, Items: "$.data"}
	case table.Indexed:
		t.Fatalf("%s: an API gives many records of a composite key in no way that we know", table.Name)
	}
	return d
}

func (a *api) url(host string) sources.Secret {
	u := url.URL{Scheme: "http", User: url.UserPassword("reader", "hidden!word"), Host: host, Path: "/api", RawQuery: "key=hidden-query"}
	return sources.Secret(u.String())
}
