// Package http reads services that are reached only through their own API: a
// list page by page, single records, records by their keys. It sends nothing but
// GET, and takes an answer for what the service holds only where the answer is
// whole and of the declared shape: anything else is an error, never a record less.
package http

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"plumbline/sources"
	"plumbline/sources/address"
)

// source is one API.
type source struct {
	name    string
	base    *url.URL // without userinfo
	headers http.Header
	timeout time.Duration
	client  *http.Client
	idle    func()
	// slots bounds the requests under way; each holds a connection.
	slots    chan struct{}
	bodies   *bodies
	held     *shelf[*held]
	tours    *shelf[*tourOf]
	readings *shelf[*readings]
	datasets sync.Map // *sources.Dataset → *dataset
	memories sync.Map // a dataset's identity → *memory
	prepared atomic.Int32
}

const (
	// mostRedirects is how many redirects a request follows, all within its origin.
	mostRedirects = 5
	mostHeader    = 1 << 20
	// mostDatasets bounds how many datasets are remembered: one that is forgotten is
	// prepared anew.
	mostDatasets = 1000
)

// Open makes a source of an API below an http or https URL. It reaches nothing.
// The URL's userinfo becomes basic authentication, and its query goes with every
// request; neither they nor the headers show in any error.
func Open(o sources.Options) (sources.Source, error) {
	o = o.WithDefaults()
	base, err := url.Parse(o.URL.Reveal())
	switch {
	case err != nil:
		return nil, sources.Final(errors.New("the url of an http source cannot be read: write https://host/path"))
	case base.Scheme != "http" && base.Scheme != "https":
		return nil, sources.Final(errors.New("the url of an http source begins with http:// or https://"))
	case base.Hostname() == "" || base.Opaque != "":
		return nil, sources.Final(errors.New("the url of an http source names no host: write https://host/path"))
	case base.Fragment != "":
		return nil, sources.Final(errors.New("the url of an http source holds a #, and what follows is never sent: remove it"))
	case o.Writable:
		return nil, sources.Final(errors.New("an http source is only read"))
	}
	headers, err := headersOf(o.Headers)
	if err != nil {
		return nil, sources.Final(err)
	}
	if user := base.User; user != nil {
		request := http.Request{Header: headers}
		if password, _ := user.Password(); headers.Get("Authorization") == "" {
			request.SetBasicAuth(user.Username(), password)
		}
		base.User = nil
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: address.Refuse}
	transport := &http.Transport{
		// Without a proxy of the environment: it would dial in our place, past address.Refuse.
		Proxy: nil, DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second, MaxConnsPerHost: o.Connections,
		MaxIdleConnsPerHost: o.Connections, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: mostHeader,
	}
	s := &source{name: o.Name, base: base, headers: headers, timeout: o.StatementTimeout, idle: transport.CloseIdleConnections,
		slots: make(chan struct{}, o.Connections), bodies: newBodies(), held: newShelf[*held](32), tours: newShelf[*tourOf](16), readings: newShelf[*readings](mostLists),
		client: &http.Client{Transport: transport}}
	s.client.CheckRedirect = s.redirect
	return s, nil
}

func headersOf(given map[string]sources.Secret) (http.Header, error) {
	// A cache on the way may not answer in the service's place without asking it.
	headers := http.Header{"Accept": {"application/json"}, "Cache-Control": {"no-cache"}, "User-Agent": {"Plumbline"}}
	for name, value := range given {
		bad := strings.ContainsFunc(value.Reveal(), func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
		if bad || name == "" || strings.ContainsAny(name, " \t\r\n:") {
			return nil, fmt.Errorf("the header %q holds what no header may: a line break, or a colon in its name", name)
		}
		headers.Set(name, value.Reveal())
	}
	return headers, nil
}

// redirect follows within the origin alone: our headers go nowhere else.
func (s *source) redirect(next *http.Request, via []*http.Request) error {
	if len(via) > mostRedirects || !s.own(next.URL) {
		return http.ErrUseLastResponse
	}
	return nil
}

// own says whether an address has the source's own scheme, host and port.
func (s *source) own(u *url.URL) bool {
	return u.Scheme == s.base.Scheme && strings.EqualFold(u.Hostname(), s.base.Hostname()) && portOf(u) == portOf(s.base)
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// Close gives back every connection.
func (s *source) Close() error {
	s.idle()
	return nil
}

// enter waits for one of the connections that the source may hold.
func (s *source) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
