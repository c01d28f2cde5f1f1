package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"plumbline/cmd/plumbline/report"
)

// askReady asks a Plumbline that serves at address whether it is ready, and
// exits with 2 where it is not: a container without a shell checks itself so.
func (c *cli) askReady(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("--ready: want the address of one that serves, such as http://127.0.0.1:8080")
	}
	limited, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	status, said, err := readiness(limited, u.JoinPath("readyz").String())
	x := &examination{cli: c}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		x.bad("ready: %s does not answer: %v", address, err)
	case status != http.StatusOK:
		x.bad("ready: %s answers %d: %s", address, status, said)
	default:
		x.good("ready: %s", address)
	}
	if err := c.written(x.err); err != nil {
		return err
	}
	if x.blocked {
		return exit(report.ExitError)
	}
	return nil
}

// readiness makes the one request, follows nothing, and answers the beginning of
// what was said.
func readiness(ctx context.Context, address string) (status int, said string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, "", fmt.Errorf("make the request: %w", err)
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // the address is told already
		}
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err != nil {
		return 0, "", fmt.Errorf("read the answer: %w", err)
	}
	return response.StatusCode, strings.TrimSpace(string(text)), nil
}
