package slack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

const testSecret = "8f742231b10e8888abcd99yyyzzz85a5"

func signedHeader(secret string, at time.Time, body string) http.Header {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("v0:" + stamp + ":" + body))
	return http.Header{"X-Slack-Request-Timestamp": {stamp}, "X-Slack-Signature": {"v0=" + hex.EncodeToString(mac.Sum(nil))}}
}

// The example of Slack's own documentation, "Verifying requests from Slack".
func TestSlacksOwnExampleIsSigned(t *testing.T) {
	t.Parallel()
	body := "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA" +
		"&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN" +
		"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	header := http.Header{"X-Slack-Request-Timestamp": {"1531420618"},
		"X-Slack-Signature": {"v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"}}
	if _, ok := signed(testSecret, header, []byte(body), time.Unix(1531420618, 0)); !ok {
		t.Error("it is refused")
	}
}

func TestOnlyWhatIsSignedNowCounts(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	body := "payload=%7B%7D"
	good := signedHeader(testSecret, now, body)
	upper := http.Header{"X-Slack-Request-Timestamp": good["X-Slack-Request-Timestamp"],
		"X-Slack-Signature": {"v0=" + strings.ToUpper(strings.TrimPrefix(good.Get("X-Slack-Signature"), "v0="))}}
	id, ok := signed(testSecret, good, []byte(body), now)
	again, okAgain := signed(testSecret, upper, []byte(body), now.Add(signatureHolds))
	if !ok || !okAgain || string(id) != string(again) {
		t.Errorf("the same request is %x %v and, written otherwise, %x %v", id, ok, again, okAgain)
	}
	for name, bad := range map[string]struct {
		secret, body string
		header       http.Header
		at           time.Time
	}{
		"no header":        {testSecret, body, http.Header{}, now},
		"no secret":        {"", body, signedHeader("", now, body), now},
		"another secret":   {"another", body, good, now},
		"another body":     {testSecret, body + " ", good, now},
		"re-encoded body":  {testSecret, "payload={}", good, now},
		"expired":          {testSecret, body, good, now.Add(signatureHolds + time.Second)},
		"of the future":    {testSecret, body, good, now.Add(-signatureHolds - time.Second)},
		"another time":     {testSecret, body, http.Header{"X-Slack-Request-Timestamp": {"1800000001"}, "X-Slack-Signature": good["X-Slack-Signature"]}, now},
		"no number":        {testSecret, body, http.Header{"X-Slack-Request-Timestamp": {"now"}, "X-Slack-Signature": good["X-Slack-Signature"]}, now},
		"a huge time":      {testSecret, body, http.Header{"X-Slack-Request-Timestamp": {"9223372036854775807"}, "X-Slack-Signature": good["X-Slack-Signature"]}, now},
		"another version":  {testSecret, body, http.Header{"X-Slack-Request-Timestamp": good["X-Slack-Request-Timestamp"], "X-Slack-Signature": {"v1=" + good.Get("X-Slack-Signature")[3:]}}, now},
		"no hexadecimals":  {testSecret, body, http.Header{"X-Slack-Request-Timestamp": good["X-Slack-Request-Timestamp"], "X-Slack-Signature": {"v0=zz"}}, now},
		"half a signature": {testSecret, body, http.Header{"X-Slack-Request-Timestamp": good["X-Slack-Request-Timestamp"], "X-Slack-Signature": {good.Get("X-Slack-Signature")[:35]}}, now},
		"nothing signed":   {testSecret, body, http.Header{"X-Slack-Request-Timestamp": good["X-Slack-Request-Timestamp"], "X-Slack-Signature": {"v0="}}, now},
	} {
		if _, ok := signed(bad.secret, bad.header, []byte(bad.body), bad.at); ok {
			t.Errorf("%s: it counts", name)
		}
	}
}

func TestOrders(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]order{
		"":                                 {Verb: doStatus},
		"--share":                          {Verb: doStatus, Share: true},
		"  STATUS ":                        {Verb: doStatus},
		"check prices":                     {Verb: doCheck, What: "prices"},
		"check --share prices":             {Verb: doCheck, What: "prices", Share: true},
		"run prices":                       {Verb: doRun, What: "prices"},
		"run prices key 4 2":               {Verb: doRun, What: "prices", Key: "4 2"},
		"show F-0123456789":                {Verb: doShow, What: "F-0123456789"},
		"ack i-204":                        {Verb: doAck, What: "I-204"},
		"show f-01234ABCDE":                {Verb: doShow, What: "F-01234abcde"},
		"ack I-204":                        {Verb: doAck, What: "I-204"},
		"ack I-204 I look into it":         {Verb: doAck, What: "I-204", Note: "I look into it"},
		"mute prices 2h":                   {Verb: doMute, What: "prices", For: 2 * time.Hour},
		"mute prices 1d a migration":       {Verb: doMute, What: "prices", For: 24 * time.Hour, Note: "a migration"},
		"mute prices until-grows we know":  {Verb: doMute, What: "prices", Grows: true, Note: "we know"},
		"unmute prices":                    {Verb: doUnmute, What: "prices"},
		"plans":                            {Verb: doPlans},
		"fix prices":                       {Verb: doFix, What: "prices"},
		"freeze prices":                    {Verb: doFreeze, What: "prices"},
		"freeze all the month is closed":   {Verb: doFreeze, What: "all", Note: "the month is closed"},
		"unfreeze all":                     {Verb: doUnfreeze, What: "all"},
		"sources":                          {Verb: doSources},
		"link":                             {Verb: doLink},
		"help":                             {Verb: doHelp},
		"mute prices":                      {Verb: doHelp, Wrong: "That is written so: `/plumbline mute NAME 2h [reason] | mute NAME until-grows [reason]`"},
		"mute prices 2 hours":              {Verb: doHelp, Wrong: "That is written so: `/plumbline mute NAME 2h [reason] | mute NAME until-grows [reason]`"},
		"mute prices 0d":                   {Verb: doHelp, Wrong: "That is written so: `/plumbline mute NAME 2h [reason] | mute NAME until-grows [reason]`"},
		"mute prices 91d":                  {Verb: doHelp, Wrong: "That is written so: `/plumbline mute NAME 2h [reason] | mute NAME until-grows [reason]`"},
		"run prices 7":                     {Verb: doHelp, Wrong: "That is written so: `/plumbline run NAME [sample 500 | full | key KEY]`"},
		"run prices sample 500":            {Verb: doRun, What: "prices", Sample: 500},
		"run prices full":                  {Verb: doRun, What: "prices", Full: true},
		"run prices sample":                {Verb: doHelp, Wrong: "That is written so: `/plumbline run NAME [sample 500 | full | key KEY]`"},
		"run prices sample 0":              {Verb: doHelp, Wrong: "That is written so: `/plumbline run NAME [sample 500 | full | key KEY]`"},
		"run prices full 7":                {Verb: doHelp, Wrong: "That is written so: `/plumbline run NAME [sample 500 | full | key KEY]`"},
		"check":                            {Verb: doHelp, Wrong: "That is written so: `/plumbline check NAME`"},
		"stauts":                           {Verb: doHelp, Wrong: "There is no such command. Did you mean `/plumbline status`?"},
		"drop <!channel> <http://evil|me>": {Verb: doHelp, Wrong: "There is no such command."},
	} {
		if got := parseOrder(text); got != want {
			t.Errorf("%q is %+v, want %+v", text, got, want)
		}
	}
}

func TestClicks(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		action, value string
		want          order
		bad           bool
	}{
		{"ack", "I-204:7", order{Verb: doAck, What: "I-204", Revision: 7}, false},
		{"recheck", "I-204:7", order{Verb: doRecheck, What: "I-204", Revision: 7}, false},
		{"mute", "I-204:7:1h", order{Verb: doMuteOf, What: "I-204", Revision: 7, For: time.Hour}, false},
		{"mute", "I-204:7:1d", order{Verb: doMuteOf, What: "I-204", Revision: 7, For: 24 * time.Hour}, false},
		{"mute", "I-204:7:grow", order{Verb: doMuteOf, What: "I-204", Revision: 7, Grows: true}, false},
		{"unmute", "I-204:7", order{Verb: doUnmuteOf, What: "I-204", Revision: 7}, false},
		{"open", "", order{}, false},
		{"ack", "", order{}, true},
		{"ack", "I-204", order{}, true},
		{"ack", "F-812:7", order{}, true},
		{"ack", "I-204:-1", order{}, true},
		{"ack", "I-204:9223372036854775808", order{}, true},
		{"mute", "I-204:7", order{}, true},
		{"mute", "I-204:7:forever", order{}, true},
	} {
		got, err := orderOfAction(row.action, row.value)
		if got != row.want || (err != nil) != row.bad {
			t.Errorf("%s %q is %+v, %v", row.action, row.value, got, err)
		}
	}
}

// What is shown as an answer pings nobody and leads nowhere, whatever is in it.
func TestAnswersAreOnlyWords(t *testing.T) {
	t.Parallel()
	evil := "<!channel> <@U123> <http://evil|bank> `*_~ \u202e https://evil.example/ \n" + strings.Repeat("x", 5000)
	many := []string{code(evil, 200) + escaped(visible(evil, 300))}
	for range 100 {
		many = append(many, code(evil, 100))
	}
	m := said(many...)
	if err := Check(m); err != nil {
		t.Error(err)
	}
	if len(m.Blocks) < 2 || strings.Contains(m.Text, "<") {
		t.Errorf("it is %+v", m)
	}
	a := m.answer(false)
	if a.ResponseType != "ephemeral" || m.answer(true).ResponseType != "in_channel" {
		t.Errorf("answered %+v", a)
	}
}

// FuzzRequests: nothing that can be sent makes us panic, and what is taken reads
// back as it was.
func FuzzRequests(f *testing.F) {
	f.Add("payload=%7B%22type%22%3A%22block_actions%22%7D")
	f.Add("command=%2Fplumbline&text=mute+prices+2h&team_id=T1&user_id=U1&channel_id=C1&response_url=https%3A%2F%2Fhooks.slack.com%2Fx")
	f.Add("payload=" + url.QueryEscape(`{"type":"block_actions","team":{"id":"T1"},"user":{"id":"U1","team_id":"T1"},"channel":{"id":"C1"},
		"actions":[{"action_id":"mute","selected_option":{"value":"I-204:7:grow"}}]}`))
	f.Add("payload=" + url.QueryEscape(`{"type":"view_submission","team":null,"actions":[null]}`))
	f.Add("ssl_check=1")
	f.Add("%zz")
	f.Fuzz(func(t *testing.T, body string) {
		form, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		for _, read := range []func() (*asked, error){
			func() (*asked, error) { return askedByCommand(form) },
			func() (*asked, error) { return askedByAction([]byte(form.Get("payload"))) },
			func() (*asked, error) { return askedByCommandJSON([]byte(form.Get("payload"))) },
		} {
			a, err := read()
			if err != nil {
				continue
			}
			if a.User == "" || len(a.Teams) == 0 || a.Channel == "" {
				t.Fatalf("taken without who or where: %+v", a)
			}
			if a.Order.Verb == doHelp {
				if err := Check(said(help(a.Order.Wrong).lines...)); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
