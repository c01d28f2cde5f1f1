package slack

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"plumbline/sources"
)

// InboundOptions say whom requests are taken from and what is done with them. All
// but Now, HTTP, APIURL, AppToken, SigningSecret and Wake must be set.
type InboundOptions struct {
	// Token is the bot's, SigningSecret that of requests over HTTP ("" refuses all),
	// AppToken that of Socket Mode ("" opens none).
	Token, SigningSecret, AppToken sources.Secret
	// APIURL is Slack's own where it is ""; another is a test's, and answers may go
	// to its host too.
	APIURL string
	// PublicURL is where people find the pages.
	PublicURL string
	Inbox     Inbox
	Door      Door
	Desk      Desk
	Book      Book
	// Wake hears that something was done that others are to be told.
	Wake func()
	HTTP *http.Client
	Now  func() time.Time
	Log  *slog.Logger
}

// Inbound takes what people ask for in Slack. A request is answered as soon as
// the ledger has it; what it asks for is done by Work, in this process or in
// another on the same ledger, also after a restart, and once.
type Inbound struct {
	o     InboundOptions
	api   *slack.Client
	team  workspace
	wake  chan struct{}
	quiet refusals
	room  chan struct{} // for what tells somebody that we are busy
}

// NewInbound makes an Inbound. It asks Slack for nothing yet.
func NewInbound(o InboundOptions) *Inbound {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: 10 * time.Second}
	}
	if o.Wake == nil {
		o.Wake = func() {}
	}
	client := *o.HTTP
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	o.HTTP = &client
	options := []slack.Option{slack.OptionHTTPClient(&client), slack.OptionAppLevelToken(o.AppToken.Reveal())}
	if o.APIURL != "" {
		options = append(options, slack.OptionAPIURL(strings.TrimRight(o.APIURL, "/")+"/"))
	}
	return &Inbound{o: o, api: slack.New(o.Token.Reveal(), options...), wake: make(chan struct{}, 1), room: make(chan struct{}, mostLater)}
}

const (
	// largestBody is the most that is read of a request.
	largestBody = 256 << 10
	// takenWithin is how long the ledger may take to keep a request, and answeredBy
	// when whoever asked is answered whatever the ledger does. Slack waits 3 s.
	takenWithin = 700 * time.Millisecond
	answeredBy  = 900 * time.Millisecond
	// mostLater bounds how many are told at once that we are busy.
	mostLater = 32
)

// Commands answers slash commands.
func (in *Inbound) Commands() http.Handler { return in.handler(in.readCommand) }

// Interactions answers clicks.
func (in *Inbound) Interactions() http.Handler { return in.handler(in.readInteraction) }

// received is a request that was read.
type received struct {
	kind string
	*asked
}

func (in *Inbound) readCommand(form url.Values) (received, error) {
	a, err := askedByCommand(form)
	return received{kindCommand, a}, err
}

func (in *Inbound) readInteraction(form url.Values) (received, error) {
	a, err := askedByAction([]byte(form.Get("payload")))
	return received{kindAction, a}, err
}

func (in *Inbound) handler(read func(url.Values) (received, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, largestBody+1))
		if err != nil || len(body) > largestBody {
			in.refuse(w, "it is too large or was cut off")
			return
		}
		id, ok := signed(in.o.SigningSecret.Reveal(), r.Header, body, in.o.Now())
		if !ok {
			in.refuse(w, "it is not signed by Slack, or not now")
			return
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			in.refuse(w, "it is malformed")
			return
		}
		if form.Get("ssl_check") == "1" { // Slack sees whether the certificate is good
			w.WriteHeader(http.StatusOK)
			return
		}
		got, err := read(form)
		if err != nil {
			in.refuse(w, "it is malformed")
			return
		}
		switch taken := in.take(r.Context(), id, got); taken {
		case isTaken:
			w.WriteHeader(http.StatusOK)
		case isForeign, isReplayed:
			in.refuse(w, string(taken))
		case isBusy, isUnsure:
			in.answerBusy(w, got, taken)
		}
	})
}

// refused is what every request gets that is not to be listened to: it says
// nothing of why.
const refused = "this request is not Slack's, or it came before\n"

func (in *Inbound) refuse(w http.ResponseWriter, why string) {
	if skipped, log := in.quiet.tell(in.o.Now()); log {
		in.o.Log.Warn("a request to Slack's address is refused", "why", why, "more", skipped)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = io.WriteString(w, refused) // whoever left does not read it
}

// taken is what became of a request that was to be taken.
type taken string

const (
	isTaken    taken = "taken"
	isReplayed taken = "it was taken before"
	isForeign  taken = "it is of another workspace"
	isBusy     taken = "the ledger is too slow"
	isUnsure   taken = "the ledger does not answer"
)

// take keeps a request in the ledger, and returns in time even where the ledger
// does not. isBusy says that nothing was kept; isUnsure that nobody knows.
func (in *Inbound) take(ctx context.Context, id []byte, got received) taken {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takenWithin)
	answer := make(chan taken, 1)
	go func() {
		defer cancel()
		answer <- in.keep(ctx, id, got)
	}()
	late := time.NewTimer(answeredBy)
	defer late.Stop()
	select {
	case done := <-answer:
		return done
	case <-late.C:
		return isUnsure
	}
}

func (in *Inbound) keep(ctx context.Context, id []byte, got received) taken {
	asking, cancel := context.WithTimeout(ctx, takenWithin/2)
	ours, err := in.ours(asking, got.asked)
	cancel()
	if err == nil && !ours {
		return isForeign
	} // where Slack does not say whose bot we are, Work asks again before anything is done
	body, err := json.Marshal(got.asked)
	if err != nil {
		in.o.Log.Error("write down a request of Slack", "error", err)
		return isBusy
	}
	fresh, err := in.o.Inbox.TakeRequest(ctx, id, got.kind, string(body))
	switch {
	case err != nil:
		in.o.Log.Warn("a request of Slack could not be taken", "kind", got.kind, "error", err)
		return isBusy
	case !fresh:
		return isReplayed
	}
	in.poke()
	return isTaken
}

// poke wakes Work.
func (in *Inbound) poke() {
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// busyWords are told in private to whoever asked while the ledger did not answer.
func busyWords(t taken) string {
	if t == isUnsure {
		return "Plumbline is very busy and may not have taken this: look whether it was done before you try again."
	}
	return "Plumbline is busy, and nothing was done: try again in a moment."
}

// answerBusy says so in the answer to a command; a click's answer is shown to
// nobody, so it is told where the click says.
func (in *Inbound) answerBusy(w http.ResponseWriter, got received, t taken) {
	if got.kind != kindCommand {
		in.tellLater(got.asked, said(busyWords(t)))
		w.WriteHeader(http.StatusOK)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(said(busyWords(t)).answer(false)); err != nil {
		in.o.Log.Debug("answer a command", "error", err)
	}
}

// tellLater tells somebody something beside what is going on, unless too many
// are told something already.
func (in *Inbound) tellLater(a *asked, m Message) {
	select {
	case in.room <- struct{}{}:
	default:
		return
	}
	go func() {
		defer func() { <-in.room }()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := in.tell(ctx, a, m, false); err != nil {
			in.o.Log.Warn("tell somebody of Slack that we are busy", "error", err)
		}
	}()
}

// socketID is how an envelope of Socket Mode is told from every other.
func socketID(envelope string) []byte {
	sum := sha256.Sum256([]byte("envelope " + envelope))
	return sum[:]
}

// refusals keeps whoever sends rubbish from filling the log: one line a second.
type refusals struct {
	mu      sync.Mutex
	last    time.Time
	skipped int
}

func (r *refusals) tell(now time.Time) (skipped int, log bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.last.IsZero() && now.Sub(r.last).Abs() < time.Second {
		r.skipped++
		return 0, false
	}
	skipped, r.skipped, r.last = r.skipped, 0, now
	return skipped, true
}

// workspace is whose bot we are, asked once.
type workspace struct {
	mu               sync.Mutex
	team, enterprise string
}

// ours says whether a request is of the workspace whose bot we are: each team it
// names must be, and the enterprise where it names one.
func (in *Inbound) ours(ctx context.Context, a *asked) (bool, error) {
	team, enterprise, err := in.whoami(ctx)
	if err != nil {
		return false, err
	}
	for _, t := range a.Teams {
		if t != team {
			return false, nil
		}
	}
	return a.Enterprise == "" || a.Enterprise == enterprise, nil
}

func (in *Inbound) whoami(ctx context.Context) (team, enterprise string, err error) {
	in.team.mu.Lock()
	team, enterprise = in.team.team, in.team.enterprise
	in.team.mu.Unlock()
	if team != "" {
		return team, enterprise, nil
	}
	answer, err := in.api.AuthTestContext(ctx)
	if err != nil {
		return "", "", errors.New("ask Slack whose bot we are: " + why(err))
	}
	if !isID(answer.TeamID) {
		return "", "", errors.New("ask Slack whose bot we are: it names no workspace")
	}
	in.team.mu.Lock()
	defer in.team.mu.Unlock()
	in.team.team, in.team.enterprise = answer.TeamID, answer.EnterpriseID
	return answer.TeamID, answer.EnterpriseID, nil
}
