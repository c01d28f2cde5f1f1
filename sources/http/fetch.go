package http

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"plumbline/sources"
	"plumbline/sources/address"
	"plumbline/sources/jsonrecord"
)

const (
	// mostBody bounds an answer, unpacked. A record of MaxRecordSize fits, and a few more.
	mostBody = 64 << 20
	// mostDrained is how much of an answer that is not used is read all the same.
	mostDrained = 64 << 10
	// longestWait is how long a service may ask to be left alone and still be read
	// again by the same run.
	longestWait = 5 * time.Minute
)

// answer is what a service gave to one request.
type answer struct {
	status int
	body   []byte // JSON that has passed jsonrecord.Check; nil unless status is 200
}

// statusError is an answer that gives no records, by its status.
type statusError struct {
	status int
	what   string // the request in the words of the configuration
	says   string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s: the service answers %d %s%s", e.what, e.status, http.StatusText(e.status), e.says)
}

// get sends one request and reads its answer whole. what is the request in the
// words of the configuration: no key, query or header is in any error. A status
// among expected is handed back; any other than 200 is an error.
func (s *source) get(ctx context.Context, what string, at *url.URL, expected ...int) (*answer, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	bounded, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(bounded, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, sources.Final(fmt.Errorf("%s: the address cannot be made", what))
	}
	request.Header = s.headers.Clone()
	known, cached := s.bodies.get(at.String())
	if cached {
		request.Header.Set("If-None-Match", known.tag)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, s.unreached(ctx, bounded, what, err)
	}
	defer drain(response.Body)
	out := &answer{status: response.StatusCode}
	switch {
	case response.StatusCode == http.StatusOK:
		if out.body, err = s.read(ctx, bounded, what, response); err != nil {
			return nil, err
		}
		s.bodies.put(at.String(), response.Header.Get("ETag"), out.body)
		return out, nil
	case response.StatusCode == http.StatusNotModified && cached:
		out.status, out.body = http.StatusOK, known.body
		return out, nil
	case slices.Contains(expected, response.StatusCode) && settled(response):
		return out, nil
	case slices.Contains(expected, response.StatusCode):
		return nil, fmt.Errorf("%s: the service leads elsewhere for now, such as to a login, and answers %d there", what, response.StatusCode)
	}
	return nil, refusal(what, response)
}

// settled says whether an answer was found where it was asked for, or where the
// service says that it lives for good.
func settled(response *http.Response) bool {
	for by := response.Request.Response; by != nil; by = by.Request.Response {
		if by.StatusCode != http.StatusMovedPermanently && by.StatusCode != http.StatusPermanentRedirect {
			return false
		}
	}
	return true
}

// drain reads what is left of a short body, so that its connection can be used again.
// Nothing that goes wrong with it is of any consequence.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, mostDrained)
	_ = body.Close()
}

// read reads a body that says it is JSON, is no longer than it may be, is whole
// and is JSON.
func (s *source) read(ctx, bounded context.Context, what string, response *http.Response) ([]byte, error) {
	if given := response.Header.Get("Content-Type"); given != "" && !saysJSON(given) {
		kind, _, _ := mime.ParseMediaType(given)
		return nil, fmt.Errorf("%s: the answer says that it is %q and not JSON: an error page, or another address than meant", what, brief(kind))
	}
	var body bytes.Buffer
	n, err := io.Copy(&body, io.LimitReader(response.Body, mostBody+1))
	switch {
	case err != nil:
		return nil, s.unreached(ctx, bounded, what, fmt.Errorf("the answer broke off after %d bytes: %w", n, err))
	case n > mostBody:
		return nil, sources.Final(fmt.Errorf("%s: the answer is longer than %d MiB: ask for less at once (page_size, batch.size)", what, mostBody>>20))
	}
	raw := bytes.TrimPrefix(body.Bytes(), []byte("\xef\xbb\xbf"))
	if err := jsonrecord.Check(raw); err != nil {
		return nil, fmt.Errorf("%s: the answer is %w", what, err)
	}
	return bytes.TrimSpace(raw), nil
}

// brief is the beginning of what a service says, enough for an error.
func brief(text string) string {
	if len(text) > 100 {
		return strings.ToValidUTF8(text[:100], "") + "…"
	}
	return text
}

func saysJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || kind == "text/json" || strings.HasSuffix(kind, "+json"))
}

// refusal turns a status into an error of its class.
func refusal(what string, response *http.Response) error {
	e := &statusError{status: response.StatusCode, what: what}
	switch status := response.StatusCode; {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		e.says = ": check the source's headers"
		return sources.Final(e)
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		return patient(e, response.Header.Get("Retry-After"), response.Header.Get("Date"))
	case status == http.StatusRequestTimeout || status == http.StatusGatewayTimeout:
		return sources.Timeout(e)
	case status == http.StatusTooEarly || status >= 500 || status/100 == 2:
		return e
	case status/100 == 3:
		e.says = redirectWords(response)
		return sources.Final(e)
	}
	return sources.Final(e)
}

// redirectWords names the origin alone of where a redirect leads.
func redirectWords(response *http.Response) string {
	if response.StatusCode == http.StatusNotModified {
		return ", to a request that did not ask whether anything changed"
	}
	to, err := response.Location()
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" and leads to %s://%s, which is followed no further: only redirects within the source's own address are, at most %d", brief(to.Scheme), brief(to.Host), mostRedirects)
}

// patient takes a Retry-After, in seconds or as a date by the service's own clock.
func patient(e *statusError, after, date string) error {
	wait := time.Duration(0)
	if seconds, err := strconv.ParseInt(strings.TrimSpace(after), 10, 32); err == nil {
		wait = time.Duration(max(0, seconds)) * time.Second
	} else if until, err := http.ParseTime(after); err == nil {
		if now, err := http.ParseTime(date); err == nil {
			wait = max(0, until.Sub(now))
		}
	}
	if wait > longestWait {
		e.says = fmt.Sprintf(" and asks to be left alone for %s", wait)
		wait = longestWait
	}
	return sources.RetryAfter(wait, e)
}

// unreached says why there is no whole answer. The texts of net/http quote the
// whole address; what is under them names the host alone.
func (s *source) unreached(ctx, bounded context.Context, what string, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var denied *address.ForbiddenError
	var unknown *x509.UnknownAuthorityError
	var mismatch *x509.HostnameError
	var broken textproto.ProtocolError
	var certificate *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case bounded.Err() != nil:
		return sources.Timeout(fmt.Errorf("%s: no whole answer within %s", what, s.timeout))
	case errors.As(err, &denied):
		return sources.Final(fmt.Errorf("%s: %s leads to %s, which is never called", what, s.base.Host, denied.What))
	case errors.As(err, &unknown), errors.As(err, &mismatch), errors.As(err, &certificate):
		return sources.Final(fmt.Errorf("%s: %s cannot prove who it is: %s", what, s.base.Host, sources.Quoteless(err.Error())))
	case errors.As(err, &broken): // its text quotes the answer
		return fmt.Errorf("%s: what %s answers is no HTTP", what, s.base.Host)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: %s hung up before its answer was whole", what, s.base.Host)
	}
	return fmt.Errorf("%s: %s: %s", what, s.base.Host, sources.Quoteless(err.Error()))
}
