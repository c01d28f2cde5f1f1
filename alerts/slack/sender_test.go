package slack_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"plumbline/alerts"
	"plumbline/alerts/slack"
	"plumbline/alerts/slack/slacktest"
	"plumbline/sources"
)

func sender(s *slacktest.Server) *slack.Sender {
	return slack.New(slack.Options{Token: slacktest.Token, APIURL: s.API(), PublicURL: "https://plumbline.example.com"})
}

// delivery is the sample of a name, made anew.
func delivery(t *testing.T, name string) *alerts.Delivery {
	t.Helper()
	for _, s := range slack.Samples(time.Now()) {
		if s.Name == name {
			s.Delivery.Target.Address = "#basket"
			return &s.Delivery
		}
	}
	t.Fatalf("no sample %s", name)
	return nil
}

func TestSenderWritesEditsAndReplies(t *testing.T) {
	t.Parallel()
	server := slacktest.Start(t, slacktest.Options{Unpaced: true})
	send := sender(server)
	receipt, err := send.Send(t.Context(), delivery(t, "initial"))
	if err != nil {
		t.Fatal(err)
	}
	root := server.Roots("basket")
	if len(root) != 1 || receipt.Ref != (alerts.Ref{Channel: "C0000BASKET", TS: root[0].TS}) || receipt.Found {
		t.Fatalf("receipt %+v, messages %+v", receipt, root)
	}
	if !strings.Contains(root[0].Text, "412 findings") || !strings.Contains(string(root[0].Metadata), `"incident":"I-204"`) {
		t.Errorf("text %q, metadata %s", root[0].Text, root[0].Metadata)
	}

	for _, name := range []string{"acknowledged and growing", "thread", "resolved"} {
		d := delivery(t, name)
		d.Ref = receipt.Ref
		got, err := send.Send(t.Context(), d)
		if err != nil || got.Ref != receipt.Ref {
			t.Fatalf("%s: %+v, %v", name, got, err)
		}
	}
	root = server.Roots("basket")
	replies := server.Replies("basket", receipt.Ref.TS)
	if len(root) != 1 || len(root[0].Edits) != 2 || !strings.Contains(root[0].Text, "Resolved") || len(replies) != 1 {
		t.Errorf("%d roots edited %d times, %d replies", len(root), len(root[0].Edits), len(replies))
	}
	if strings.Contains(string(root[0].Blocks), "action_id") {
		t.Error("a resolved incident still has buttons")
	}
	if _, err := send.Send(t.Context(), delivery(t, "digest")); err != nil {
		t.Fatal(err)
	}
}

// Slack's words, and what becomes of a step that met them.
func TestSenderSaysWhatBecameOfAStep(t *testing.T) {
	t.Parallel()
	var (
		lost    = func(err error) bool { return errors.Is(err, alerts.ErrLost) }
		gone    = func(err error) bool { return errors.Is(err, alerts.ErrGone) }
		refused = func(do string) func(error) bool {
			return func(err error) bool {
				r, ok := errors.AsType[*alerts.RefusedError](err)
				return ok && strings.Contains(r.Do, do)
			}
		}
		retry = func(everywhere bool) func(error) bool {
			return func(err error) bool {
				r, ok := errors.AsType[*alerts.RetryError](err)
				return ok && r.Everywhere == everywhere && r.After >= time.Second
			}
		}
	)
	const post, edit, reply = "initial", "resolved", "thread"
	for _, row := range []struct {
		step string
		code string // Slack says
		want func(error) bool
	}{
		{post, "ratelimited", retry(true)},
		{edit, "ratelimited", retry(true)},
		{post, "internal_error", lost},
		{post, "fatal_error", lost},
		{edit, "fatal_error", retry(false)},
		{reply, "fatal_error", lost},
		{post, "request_timeout", retry(false)},
		{edit, "message_not_found", gone},
		{edit, "cant_update_message", gone},
		{edit, "edit_window_closed", gone},
		{reply, "thread_not_found", gone},
		{post, "channel_not_found", refused("no channel #basket")},
		{post, "not_in_channel", refused("/invite @plumbline")},
		{post, "is_archived", refused("unarchive #basket")},
		{edit, "is_archived", refused("unarchive")},
		{post, "invalid_auth", refused("alerts.slack.token")},
		{post, "token_revoked", refused("alerts.slack.token")},
		{post, "account_inactive", refused("alerts.slack.token")},
		{post, "missing_scope", refused("scopes")},
		{post, "restricted_action", refused("settings")},
		{post, "no_text", refused("report it")},
		{post, "something_new", refused("documentation")},
	} {
		t.Run(row.step+" "+row.code, func(t *testing.T) {
			t.Parallel()
			server := slacktest.Start(t, slacktest.Options{Unpaced: true})
			send := sender(server)
			receipt, err := send.Send(t.Context(), delivery(t, post))
			if err != nil {
				t.Fatal(err)
			}
			d := delivery(t, row.step)
			method := "chat.postMessage"
			if d.Step == alerts.Edit {
				method = "chat.update"
			}
			if d.Step != alerts.Post {
				d.Ref = receipt.Ref
			}
			server.Refuse(method, row.code)
			if _, err := send.Send(t.Context(), d); !row.want(err) {
				t.Errorf("%T: %v", err, err)
			}
		})
	}
}

func TestSenderSaysWhatBecameOfABrokenRequest(t *testing.T) {
	t.Parallel()
	lost := func(err error) bool { return errors.Is(err, alerts.ErrLost) }
	retry := func(err error) bool {
		_, ok := errors.AsType[*alerts.RetryError](err)
		return ok
	}
	for _, row := range []struct {
		fault      slacktest.Fault
		post, edit func(error) bool
	}{
		{slacktest.TooMany, retry, retry},
		{slacktest.Broken, lost, retry},
		{slacktest.BrokenDone, lost, retry},
		{slacktest.LostBefore, lost, retry},
		{slacktest.LostAfter, lost, retry},
		{slacktest.Cut, lost, retry},
	} {
		t.Run(string(row.fault), func(t *testing.T) {
			t.Parallel()
			server := slacktest.Start(t, slacktest.Options{Unpaced: true})
			send := sender(server)
			receipt, err := send.Send(t.Context(), delivery(t, "initial"))
			if err != nil {
				t.Fatal(err)
			}
			edit := delivery(t, "resolved")
			edit.Ref = receipt.Ref
			server.Script("chat.postMessage", row.fault)
			server.Script("chat.update", row.fault)
			if _, err := send.Send(t.Context(), delivery(t, "initial")); !row.post(err) {
				t.Errorf("post: %T: %v", err, err)
			}
			if _, err := send.Send(t.Context(), edit); !row.edit(err) {
				t.Errorf("edit: %T: %v", err, err)
			}
		})
	}
}

func TestSenderHonoursRetryAfter(t *testing.T) {
	t.Parallel()
	server := slacktest.Start(t, slacktest.Options{Unpaced: true, Faults: slacktest.Faults{RetryAfter: 37 * time.Second}})
	server.Script("chat.postMessage", slacktest.TooMany)
	_, err := sender(server).Send(t.Context(), delivery(t, "initial"))
	if r, ok := errors.AsType[*alerts.RetryError](err); !ok || r.After != 37*time.Second || !r.Everywhere {
		t.Errorf("%T %v", err, err)
	}
	if n := len(server.Requests("chat.postMessage")); n != 1 {
		t.Errorf("%d requests: the dispatcher tries again, not the sender", n)
	}
}

func TestSenderGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	server := slacktest.Start(t, slacktest.Options{Unpaced: true})
	server.Script("chat.postMessage", slacktest.Hang)
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan error, 1)
	go func() {
		_, err := sender(server).Send(ctx, delivery(t, "initial"))
		told <- err
	}()
	asked := func() bool { return len(server.Requests("chat.postMessage")) == 1 }
	if err := server.Await(t.Context(), "it is asked", asked); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-told; !errors.Is(err, alerts.ErrLost) {
		t.Errorf("%T %v", err, err)
	}
}

func TestSenderTriesAgainWhereNobodyIsReached(t *testing.T) {
	t.Parallel()
	server, err := slacktest.New(slacktest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	send := sender(server)
	server.Close()
	_, err = send.Send(t.Context(), delivery(t, "initial"))
	if r, ok := errors.AsType[*alerts.RetryError](err); !ok || !r.Everywhere {
		t.Errorf("%T %v", err, err)
	}
}

func TestSenderNoticesThatTheRootIsGone(t *testing.T) {
	t.Parallel()
	server := slacktest.Start(t, slacktest.Options{Unpaced: true})
	send := sender(server)
	root, err := send.Send(t.Context(), delivery(t, "initial"))
	if err != nil {
		t.Fatal(err)
	}
	server.Delete("basket", root.Ref.TS)
	for _, name := range []string{"resolved", "thread"} {
		d := delivery(t, name)
		d.Ref = root.Ref
		if _, err := send.Send(t.Context(), d); !errors.Is(err, alerts.ErrGone) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A Slack that takes offence at the blocks is told the words alone.
func TestSenderSaysItInWordsWhereBlocksAreRefused(t *testing.T) {
	t.Parallel()
	server := slacktest.Start(t, slacktest.Options{Unpaced: true})
	send := sender(server)
	server.Refuse("chat.postMessage", "invalid_blocks")
	root, err := send.Send(t.Context(), delivery(t, "initial"))
	if err != nil {
		t.Fatal(err)
	}
	server.Refuse("chat.update", "msg_blocks_too_long")
	d := delivery(t, "resolved")
	d.Ref = root.Ref
	if _, err := send.Send(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if m := server.Roots("basket"); len(m) != 1 || !strings.HasPrefix(m[0].Text, "Resolved") {
		t.Errorf("%+v", m)
	}
}

// No error holds the token, and no redirect carries it elsewhere.
func TestSenderKeepsItsToken(t *testing.T) {
	t.Parallel()
	const secret = "xoxb-canary-4711"
	stolen := make(chan string, 10)
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		stolen <- r.URL.Path
	}))
	t.Cleanup(thief.Close)
	moved := httptest.NewServer(http.RedirectHandler(thief.URL+"/stolen", http.StatusTemporaryRedirect))
	t.Cleanup(moved.Close)
	server := slacktest.Start(t, slacktest.Options{Unpaced: true})
	closed := httptest.NewServer(nil)
	closed.Close()
	for _, address := range []string{moved.URL, server.API(), closed.URL, "http://127.0.0.1:1/", "http://%zz"} {
		send := slack.New(slack.Options{Token: sources.Secret(secret), APIURL: address})
		_, err := send.Send(t.Context(), delivery(t, "initial"))
		if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), secret) {
			t.Errorf("%s: %#v", address, err)
		}
	}
	if len(stolen) > 0 {
		t.Errorf("the token went to %s", <-stolen)
	}
}
