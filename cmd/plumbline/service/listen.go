package service

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// Listen listens on an address of this machine alone. Any other is refused, as
// everybody who reaches it could read what the pages show.
func Listen(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: want a host and a port, such as 127.0.0.1:8080", address)
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("listen on %s: others could reach it, and there is no sign-in yet: listen on 127.0.0.1, [::1] or localhost", address)
	}
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, &TakenError{address}
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, nil
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
