package reconciler

import (
	"errors"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/sources"
)

func templateEdge() (*checks.Check, *checks.Edge) {
	check := &checks.Check{Name: "prices", Owner: checks.Side{Dataset: sources.Dataset{Name: "products", Key: []string{"id"}}}}
	check.Edges = []checks.Edge{{Name: "basket", Replica: checks.Side{Dataset: sources.Dataset{Name: "items", Key: []string{"productId"}, ID: []string{"cart"}}},
		Rules: []checks.Rule{{Owner: checks.FieldRef{Name: "price"}, Replica: checks.FieldRef{Name: "unitPrice"}, Precision: -1},
			{Owner: checks.FieldRef{Name: "name"}, Replica: checks.FieldRef{Name: "title.text"}, Precision: -1}}}}
	return check, &check.Edges[0]
}

func TestATemplateIsRefusedWhereItCouldNotBeFilled(t *testing.T) {
	t.Parallel()
	check, edge := templateEdge()
	for _, c := range []struct {
		t    RequestTemplate
		want string // "" is right
	}{
		{RequestTemplate{Method: "POST", URL: "https://basket.example.com/items/{key.id}"}, ""},
		{RequestTemplate{Method: "PUT", URL: "http://basket:8080/carts/{id.cart}?product={key.id}&x=1", Body: `{"price": {owner.price}, "old": {replica.unitPrice}, "name": "to {owner.name}"}`}, ""},
		{RequestTemplate{Method: "PATCH", URL: "https://basket.example.com/x", Body: `[{"a": {"b": [{owner.price}]}}]`}, ""},
		{RequestTemplate{Method: "POST", URL: "https://basket.example.com/x", Body: "{replica.title.text}"}, ""},
		{RequestTemplate{Method: "POST", URL: "https://basket.example.com/x", Body: "price={owner.price}&name={owner.name}",
			Headers: map[string]sources.Secret{"content-type": "application/x-www-form-urlencoded"}}, ""},
		{RequestTemplate{Method: "GET", URL: "https://h/x"}, "changes something"},
		{RequestTemplate{Method: "POST", URL: "https://{owner.name}/x"}, "before its path"},
		{RequestTemplate{Method: "POST", URL: "https://h{owner.name}/x"}, "in its host"},
		{RequestTemplate{Method: "POST", URL: "{owner.name}"}, "before its path"},
		{RequestTemplate{Method: "POST", URL: "file:///etc/passwd"}, "https://HOST"},
		{RequestTemplate{Method: "POST", URL: "/x"}, "https://HOST"},
		{RequestTemplate{Method: "POST", URL: ""}, "empty"},
		{RequestTemplate{Method: "POST", URL: "https://a:b@h/x"}, "header"},
		{RequestTemplate{Method: "POST", URL: "https://h/x#{key.id}"}, "#"},
		{RequestTemplate{Method: "POST", URL: "https://h/x y"}, "white space"},
		{RequestTemplate{Method: "POST", URL: "https://h/{key.ids}"}, "did you mean {key.id}"},
		{RequestTemplate{Method: "POST", URL: "https://h/{owners.price}"}, "is no place"},
		{RequestTemplate{Method: "POST", URL: "https://h/{key}"}, "is no place"},
		{RequestTemplate{Method: "POST", URL: "https://h/{key.id"}, "not closed"},
		{RequestTemplate{Method: "POST", URL: "https://h/x", Body: `{"a": {owner.cost}}`}, "compared"},
		{RequestTemplate{Method: "POST", URL: "https://h/x", Body: `{"a": {owner.price}`}, "one JSON text"},
		{RequestTemplate{Method: "POST", URL: "https://h/x", Body: `{owner.price}{owner.price}`}, "one JSON text"},
		{RequestTemplate{Method: "POST", URL: "https://h/x", Headers: map[string]sources.Secret{"X-A": "a\r\nX-B: c"}}, "line break"},
	} {
		err := c.t.Check(check, edge)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %s %s: %v, want %q", c.t.Method, c.t.URL, c.t.Body, err, c.want)
		}
	}
}

func TestNoValueBreaksOutOfItsPlace(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	template := RequestTemplate{Method: "POST", URL: "https://basket.example.com/a/{key.id}/b-{owner.name}?x={owner.name}&y=1",
		Body: `{"v": {owner.name}, "w": "<{owner.name}>", "z": [1, {key.id}]}`}
	form := RequestTemplate{Method: "POST", URL: "https://basket.example.com/", Body: "v={owner.name}&w=1",
		Headers: map[string]sources.Secret{"Content-Type": "application/x-www-form-urlencoded"}}
	pieces := []string{"/", "..", ".", "?", "#", "&", "=", "%", "%2e", "\r\n", "\n", "\x00", "\x1b[2J", "\"", "\\", "{", "}", "{key.id}", "'", " ", "é", "\u202e", "a", "0", "@", ":", ";", "\u2028", "</script>", "\x7f"}
	filled := 0
	for range 3_000 {
		text := ""
		for range random.IntN(6) {
			text += pieces[random.IntN(len(pieces))]
		}
		value := func(place) (sources.Value, error) { return sources.Text(text), nil }
		r, err := template.render(&filling{value: value})
		var unfit *unfitError
		if errors.As(err, &unfit) && (text == "" || text == "." || text == "..") {
			continue
		}
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		filled++
		u, err := url.Parse(r.URL)
		if err != nil || u.Scheme != "https" || u.Host != "basket.example.com" || u.Fragment != "" || strings.Count(u.EscapedPath(), "/") != 3 {
			t.Fatalf("%q made the address %q, %v", text, r.URL, err)
		}
		if q := u.Query(); len(q) != 2 || q.Get("x") != text || q.Get("y") != "1" || u.Path != "/a/"+text+"/b-"+text {
			t.Fatalf("%q made the address %q", text, r.URL)
		}
		body, err := sources.ParseJSON([]byte(r.Body))
		if err != nil || len(body.Fields()) != 3 || body.Get("v").AsText() != text || body.Get("w").AsText() != "<"+text+">" {
			t.Fatalf("%q made the body %s, %v", text, r.Body, err)
		}
		if r, err = form.render(&filling{value: value}); err != nil {
			t.Fatal(err)
		}
		if q, err := url.ParseQuery(r.Body); err != nil || len(q) != 2 || q.Get("v") != text {
			t.Fatalf("%q made the form %q", text, r.Body)
		}
	}
	if filled < 2_000 {
		t.Fatalf("only %d texts were filled in", filled)
	}
}

func TestNumbersAreSentExactlyOrAsTexts(t *testing.T) {
	t.Parallel()
	decimal := func(s string) sources.Value {
		v, err := sources.ParseDecimal(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	list, err := sources.ParseJSON([]byte(`{"b": [1, 0.1, "x", null, 9007199254740993], "a": true}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		value sources.Value
		want  string
	}{
		{sources.Int(-5), "-5"},
		{sources.Int(1<<53 - 1), "9007199254740991"},
		{sources.Int(1 << 53), `"9007199254740992"`},
		{decimal("12.30"), "12.30"},
		{decimal("0.1"), "0.1"},
		{decimal("12345678901234567.89"), `"12345678901234567.89"`},
		{decimal("NaN"), `"NaN"`},
		{sources.Float(0.1), "0.1"},
		{sources.Null(), "null"},
		{sources.Value{}, "null"},
		{sources.Bool(true), "true"},
		{sources.Text("a\"<&>\u2028"), `"a\"<&>\u2028"`},
		{sources.Bytes([]byte{0, 255}), `"\\x00ff"`},
		{sources.Time(time.Unix(0, 0), 3), `"1970-01-01T00:00:00.000Z"`},
		{list, `{"a":true,"b":[1,0.1,"x",null,"9007199254740993"]}`},
	} {
		template := RequestTemplate{Method: "POST", URL: "https://h/x", Body: "{owner.price}"}
		r, err := template.render(&filling{value: func(place) (sources.Value, error) { return c.value, nil }})
		if err != nil || r.Body != c.want {
			t.Errorf("%v was sent as %s, %v; want %s", c.value, r.Body, err, c.want)
		}
	}
	var unfit *unfitError
	for _, template := range []RequestTemplate{{Method: "POST", URL: "https://h/{owner.price}"}, {Method: "POST", URL: "https://h/?x={owner.price}"}, {Method: "POST", URL: "https://h/", Body: `"{owner.price}"`}} {
		if _, err := template.render(&filling{value: func(place) (sources.Value, error) { return sources.Null(), nil }}); !errors.As(err, &unfit) {
			t.Errorf("null stands in %s %s: %v", template.URL, template.Body, err)
		}
	}
	bad := &filling{value: func(place) (sources.Value, error) { return sources.Text("\xff"), nil }}
	if _, err := (&RequestTemplate{Method: "POST", URL: "https://h/", Body: "{owner.price}"}).render(bad); !errors.As(err, &unfit) {
		t.Errorf("a text that is no UTF-8 was sent: %v", err)
	}
}
