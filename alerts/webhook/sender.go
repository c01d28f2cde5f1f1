// Package webhook tells programs of incidents: JSON over HTTP, signed, and the
// same delivery under the same id however often it is tried.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"plumbline/alerts"
	"plumbline/sources"
	"plumbline/sources/address"
)

// Integration is the word for webhooks in targets and metrics.
const Integration = "webhook"

// Hook is where one webhook is sent, and what it is signed with.
type Hook struct {
	URL, Secret sources.Secret
}

// Options say what a Sender is made of.
type Options struct {
	// Hooks are those that are declared, by name.
	Hooks map[string]Hook
	// PublicURL begins the links to incidents; "" leaves them out.
	PublicURL string
	Version   string
	Now       func() time.Time
	// Timeout bounds one try; 0 is 10 s.
	Timeout time.Duration
}

// Sender sends to webhooks. It is an alerts.Sender: what could not be sent may be
// tried again, since the receiver knows a delivery by its id.
type Sender struct {
	o      Options
	dialer *net.Dialer
	client *http.Client
}

const (
	timeout = 10 * time.Second
	// mostAnswer is how much of an answer is read; nothing in it is used.
	mostAnswer = 4 << 10
	// mostHeader bounds the header of an answer.
	mostHeader = 64 << 10
	// longest is how long an answer may ask us to wait.
	longest = time.Hour
)

// New makes a Sender. No address is reached before Send.
func New(o Options) *Sender {
	if o.Timeout == 0 {
		o.Timeout = timeout
	}
	dialer := &net.Dialer{Timeout: o.Timeout, Control: address.Refuse}
	return &Sender{o: o, dialer: dialer, client: &http.Client{
		Timeout: o.Timeout,
		// A redirect could lead where the configuration never named.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			// Without a proxy: it would dial in our place, past address.Refuse.
			Proxy: nil, DialContext: dialer.DialContext, TLSHandshakeTimeout: o.Timeout, ForceAttemptHTTP2: true,
			// An answer is never unpacked, so none grows beyond what was sent.
			DisableCompression: true, MaxResponseHeaderBytes: mostHeader, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute,
		},
	}}
}

// Send posts a delivery once. The error is a *alerts.RetryError where trying again
// may help, and a *alerts.RefusedError where somebody must mend something first.
// No error holds the address or the secret.
func (s *Sender) Send(ctx context.Context, d *alerts.Delivery) (alerts.Receipt, error) {
	name := d.Target.Address
	hook, ok := s.o.Hooks[name]
	if !ok {
		return alerts.Receipt{}, &alerts.RefusedError{Why: fmt.Sprintf("webhook %s is not configured", name), Do: "declare it under alerts.webhooks"}
	}
	body, err := Body(d, s.o.PublicURL)
	if err != nil {
		return alerts.Receipt{}, fmt.Errorf("write the delivery: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.URL.Reveal(), bytes.NewReader(body))
	if err != nil { // its text would hold the address
		return alerts.Receipt{}, &alerts.RefusedError{Why: fmt.Sprintf("the address of webhook %s cannot be read", name), Do: "mend its url under alerts.webhooks"}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "Plumbline/"+s.o.Version)
	request.Header.Set("Plumbline-Delivery", d.ID)
	request.Header.Set("Plumbline-Signature", Sign(hook.Secret, s.o.Now(), body))
	answer, err := s.client.Do(request)
	if err != nil {
		return alerts.Receipt{}, unreached(ctx, name, err)
	}
	// What it says is not used: it is read so that the connection can be.
	_, readErr := io.Copy(io.Discard, io.LimitReader(answer.Body, mostAnswer))
	if err := errors.Join(readErr, answer.Body.Close()); err != nil && answer.StatusCode/100 != 2 {
		return alerts.Receipt{}, unreached(ctx, name, err)
	}
	return alerts.Receipt{}, judge(name, answer, s.o.Now())
}

// Sign writes the header Plumbline-Signature of a body that is sent at a time.
func Sign(secret sources.Secret, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// unreached says in words of ours why there was no answer: the texts of net/http
// quote the whole address.
func unreached(ctx context.Context, name string, err error) error {
	var denied *address.ForbiddenError
	var dns *net.DNSError
	var wrapped *url.Error
	var certificate *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("send to webhook %s: %w", name, context.Cause(ctx))
	case errors.As(err, &denied):
		return &alerts.RefusedError{Why: fmt.Sprintf("webhook %s leads to %s", name, denied.What), Do: "give it an address that may be called"}
	case errors.As(err, &wrapped) && wrapped.Timeout():
		return &alerts.RetryError{Why: fmt.Sprintf("webhook %s did not answer in time", name)}
	case errors.As(err, &dns):
		return &alerts.RetryError{Why: fmt.Sprintf("the host of webhook %s is not known", name)}
	case errors.As(err, &certificate):
		return &alerts.RetryError{Why: fmt.Sprintf("webhook %s does not prove who it is: look at its certificate", name)}
	}
	return &alerts.RetryError{Why: fmt.Sprintf("webhook %s cannot be reached", name)}
}

// judge says what an answer means; nil for one that took the delivery.
func judge(name string, answer *http.Response, now time.Time) error {
	why := fmt.Sprintf("webhook %s answered %d", name, answer.StatusCode)
	switch code := answer.StatusCode; {
	case code/100 == 2:
		return nil
	case code/100 == 3:
		return &alerts.RefusedError{Why: why, Do: "redirects are not followed: configure the address it leads to"}
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
		return &alerts.RetryError{Why: why, After: retryAfter(answer.Header.Get("Retry-After"), now)}
	case code/100 == 5, code == http.StatusRequestTimeout, code == http.StatusTooEarly:
		return &alerts.RetryError{Why: why}
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return &alerts.RefusedError{Why: why, Do: "look at what its url needs, and whether it checks the signature with the same secret"}
	case code == http.StatusNotFound, code == http.StatusGone:
		return &alerts.RefusedError{Why: why, Do: "nothing is there any more: configure its new url, or remove it"}
	}
	return &alerts.RefusedError{Why: why, Do: "it does not take what is sent: compare it with docs/alerts.md"}
}

// retryAfter reads how long to wait, in seconds or until a date; 0 where nothing
// useful is said. Who asks for more than an hour is asked again after one.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(strings.TrimSpace(header), 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, longest)
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(at.Sub(now), 0), longest)
	}
	return 0
}
