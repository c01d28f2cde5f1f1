package reconciler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// firstPause is before the second try of a request, doubled for each further one.
	firstPause = 500 * time.Millisecond
	// longestPause is how long a service may ask to be left alone.
	longestPause = 30 * time.Second
	// answerRead is how much of an answer is read, so that its connection can be used again.
	answerRead = 64 << 10
)

// ask is one item of the request route. A request of which nobody kept whether it
// was sent is sent again under its own name, by which the service knows it: at
// least once, and once only where the service looks at the name.
func (a *Applier) ask(ctx context.Context, p *Plan, i *Item) (ItemState, time.Duration, error) {
	t := a.Edge.Policy.Request
	again, silent := "", false
	if i.State == Doubtful {
		again, silent = "it was sent again under the same Idempotency-Key, since whether the service took it was not kept", true
	}
	for try := 1; ; try++ {
		met, err := a.Edge.meet(ctx, nil, i) // before each try: what was prepared may be outdated by now
		switch {
		case err != nil:
			return a.unreachable(ctx, p, i, err)
		case met.state != Pending && i.State == Doubtful && met.agree:
			return a.applied(ctx, p, i, ItemSent, "whether the service took the request is not known; both sides agree by now")
		case met.state != Pending && i.State == Doubtful:
			return a.settle(ctx, p, i, ItemFailed, "whether the service took the request is not known, and it was not sent again: "+met.note)
		case met.state != Pending:
			return a.settle(ctx, p, i, met.state, met.note)
		}
		// What is kept before each try is what a freeze stops.
		if err := a.Journal.Intend(ctx, i, a.Now().Add(t.Timeout)); err != nil {
			return a.notBegun(ctx, i, err)
		}
		answer := a.send(context.WithoutCancel(ctx), t, i.Request)
		switch {
		case answer.taken:
			return a.applied(ctx, p, i, ItemSent, again)
		case answer.final && silent:
			return a.settle(ctx, p, i, ItemFailed, answer.words+"; an earlier try had no answer, and the service may have taken it all the same")
		case answer.final:
			return a.settle(ctx, p, i, ItemFailed, answer.words)
		case try >= t.Tries:
			return a.settle(ctx, p, i, ItemFailed, fmt.Sprintf("%s; it was tried %s", answer.words, counted(int64(try), "time", "times")))
		case answer.after > longestPause:
			return a.settle(ctx, p, i, ItemFailed, fmt.Sprintf("%s, and it asks to be left alone for %s", answer.words, answer.after))
		}
		silent = silent || answer.silent
		wait := min(firstPause<<min(try-1, 6), longestPause)
		if answer.after >= 0 {
			wait = answer.after
		}
		if err := pause(ctx, wait); err != nil {
			return i.State, 0, a.release(ctx, i, err)
		}
	}
}

// answer is what came of one try.
type answer struct {
	taken  bool // accepted
	final  bool // trying again would not help
	silent bool // there was none
	words  string
	after  time.Duration // what the service asks to wait; less than 0 where it does not say
}

// send sends a request once. Where it is led elsewhere it does not follow.
func (a *Applier) send(ctx context.Context, t *RequestTemplate, r *PreparedRequest) answer {
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, r.Method, r.URL, strings.NewReader(r.Body))
	if err != nil {
		return answer{final: true, words: "the request cannot be made: its address cannot be read"}
	}
	request.Header.Set("User-Agent", "plumbline")
	if r.Body != "" {
		request.Header.Set("Content-Type", t.contentType())
	}
	for name, value := range t.Headers {
		request.Header.Set(name, value.Reveal())
	}
	request.Header.Set("Idempotency-Key", r.Name)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if a.HTTP != nil {
		client.Transport = a.HTTP.Transport
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{silent: true, words: "the service gave no answer (" + bareWords(err) + "), and may have taken it all the same", after: -1}
	}
	defer response.Body.Close()
	// Nothing of the answer counts but its status, and it may hold anything.
	_, _ = io.CopyN(io.Discard, response.Body, answerRead)
	return judgeAnswer(t, response, a.Now())
}

// bareWords is what kept a request from being answered, without its address,
// which may hold values.
func bareWords(err error) string {
	var whole *url.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "none in time"
	case errors.As(err, &whole):
		return whole.Err.Error()
	}
	return err.Error()
}

func judgeAnswer(t *RequestTemplate, r *http.Response, now time.Time) answer {
	words := strings.TrimSpace(fmt.Sprintf("the service answered %d %s", r.StatusCode, http.StatusText(r.StatusCode)))
	switch {
	case slices.Contains(t.Accepted, r.StatusCode):
		return answer{taken: true}
	case r.StatusCode == http.StatusTooManyRequests || r.StatusCode >= 500:
		return answer{words: words, after: retryAfter(r.Header.Get("Retry-After"), now)}
	case r.StatusCode >= 300 && r.StatusCode < 400:
		words += ", and redirects are not followed"
	}
	return answer{final: true, words: words}
}

// retryAfter reads how long a service asks to wait, in seconds or as a time; less
// than 0 where it says nothing that can be read.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, at.Sub(now))
	}
	return -1
}
