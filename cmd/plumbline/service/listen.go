package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"plumbline/ledger"
)

// Listen listens on an address. Where there are no accounts, everybody who reaches
// it may do all: then it takes 127.0.0.1 for a host that others could reach, and
// says so.
func Listen(address string, accounts bool) (listener net.Listener, narrowed bool, err error) {
	host, port, err := divide(address)
	if err != nil {
		return nil, false, err
	}
	if !accounts && !ofThisMachine(host) {
		address, narrowed = net.JoinHostPort("127.0.0.1", port), true
	}
	listener, err = net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, false, &TakenError{address}
	}
	if err != nil {
		return nil, false, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, narrowed, nil
}

func divide(address string) (host, port string, err error) {
	if host, port, err = net.SplitHostPort(address); err != nil {
		return "", "", fmt.Errorf("listen on %q: want a host and a port, such as 127.0.0.1:8080", address)
	}
	return host, port, nil
}

func ofThisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// entrance is where a Service listens, with what is to be said of it to whoever
// started it.
type entrance struct {
	pages   net.Listener
	metrics net.Listener // of /metrics alone; nil where that has no address of its own
	said    []string
}

// setUpLife is how long the code for the first account is good.
const setUpLife = time.Hour

// enter opens what is listened on. Until there is an account it offers to make
// the first, by a code that is told to whoever started us, and logged nowhere.
func enter(ctx context.Context, o Options, l *ledger.Ledger) (e entrance, err error) {
	e.pages = o.Listener
	accounts, err := l.HasAccounts(ctx)
	if err != nil {
		return e, err
	}
	if e.pages == nil {
		var narrowed bool
		if e.pages, narrowed, err = Listen(o.Listen, accounts); err != nil {
			return e, err
		}
		if narrowed {
			e.say(o, fmt.Sprintf("there are no accounts yet, so others may not reach it: it listens on %s instead of %s until it is started again with one", e.pages.Addr(), o.Listen))
		}
	}
	if address := o.Config.Server.Metrics; address != "" {
		e.metrics, _, err = Listen(address, true)
		if _, taken := errors.AsType[*TakenError](err); taken {
			return e, fmt.Errorf("serve metrics: listen on %s: it is taken: give server.metrics an address of its own", address)
		}
		if err != nil {
			return e, fmt.Errorf("serve metrics: %w", err)
		}
		e.say(o, fmt.Sprintf("metrics are on http://%s/metrics", e.metrics.Addr()))
	}
	if !accounts {
		code, err := l.MakeCode(ctx, ledger.SetUpCode, "", setUpLife)
		if err != nil {
			return e, err
		}
		e.said = append(e.said, fmt.Sprintf("no accounts yet: make the first at http://%s/setup?code=%s within an hour", e.pages.Addr(), code))
	}
	return e, nil
}

// say tells whoever started us, and the log.
func (e *entrance) say(o Options, line string) {
	e.said = append(e.said, line)
	o.Log.Warn(line)
}

func (e *entrance) close() error {
	var errs []error
	for _, listener := range []net.Listener{e.pages, e.metrics} {
		if listener != nil {
			errs = append(errs, listener.Close())
		}
	}
	return errors.Join(errs...)
}

// serveMetrics answers /metrics until ctx ends.
func serveMetrics(ctx context.Context, listener net.Listener, metrics http.Handler) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve metrics: %w", err)
	case <-ctx.Done():
	}
	err := server.Close()
	<-ended // that it was closed
	if err != nil {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}

// TakenError is an address that another process listens on.
type TakenError struct{ Address string }

func (e *TakenError) Error() string {
	return fmt.Sprintf("listen on %s: another process does already: end it, or name another address with --listen", e.Address)
}

// NewLog makes the log of a service: a line of JSON for each event, without the
// secrets that scrub takes out.
func NewLog(out io.Writer, level slog.Level, scrub func(string) string) *slog.Logger {
	return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch v := a.Value.Any().(type) {
		case string:
			a.Value = slog.StringValue(scrub(v))
		case error:
			a.Value = slog.StringValue(scrub(v.Error()))
		case time.Duration:
			a.Value = slog.StringValue(v.String())
		}
		return a
	}}))
}
