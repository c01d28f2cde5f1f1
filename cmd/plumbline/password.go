package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"plumbline/access"
)

// choosePassword reads the password that somebody chooses: from a file, else
// twice from the terminal, without showing it, else one line of standard input.
func (c *cli) choosePassword(ctx context.Context, file string) (string, error) {
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return oneLine(string(b))
	}
	in, ok := c.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		// One more than the longest tells that a password is too long.
		line, err := bufio.NewReader(io.LimitReader(c.stdin, access.LongestPassword+2)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return oneLine(line)
	}
	first, err := c.askHidden(ctx, in, "Password: ")
	if err != nil {
		return "", err
	}
	again, err := c.askHidden(ctx, in, "The same again: ")
	if err != nil {
		return "", err
	}
	if first != again {
		return "", errors.New("the two passwords differ: try again")
	}
	return first, nil
}

// askHidden asks on a terminal for a line that is not shown. An interrupt leaves
// the terminal as it was.
func (c *cli) askHidden(ctx context.Context, in *os.File, question string) (string, error) {
	before, err := term.GetState(int(in.Fd()))
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	if _, err := fmt.Fprint(c.stderr, question); err != nil {
		return "", fmt.Errorf("ask for the password: %w", err)
	}
	type answer struct {
		line []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		line, err := term.ReadPassword(int(in.Fd()))
		answers <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), term.Restore(int(in.Fd()), before))
	case got := <-answers:
		if _, err := fmt.Fprintln(c.stderr); err != nil {
			return "", fmt.Errorf("ask for the password: %w", err)
		}
		if got.err != nil {
			return "", fmt.Errorf("read the password: %w", got.err)
		}
		return string(got.line), nil
	}
}

// oneLine is a text without the end of its only line.
func oneLine(text string) (string, error) {
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	switch {
	case text == "":
		return "", errors.New("there is no password: write it on one line")
	case strings.ContainsAny(text, "\r\n"):
		return "", errors.New("a password stands on one line")
	}
	return text, nil
}
