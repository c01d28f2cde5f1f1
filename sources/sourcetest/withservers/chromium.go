package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// findChromium answers the browser on PATH, else exec.ErrNotFound.
func findChromium() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("look for chromium: %w", exec.ErrNotFound)
}

// startChromium finds a browser and starts none: each test starts its own, with
// a profile of its own. The endpoint's url is the path of the program.
func startChromium(ctx context.Context, h *host) (endpoint, error) {
	path, err := findChromium()
	origin := path
	if errors.Is(err, exec.ErrNotFound) {
		if path, err = installChromium(ctx, h); err == nil {
			origin = "the package chromium, just installed (" + path + ")"
		}
	}
	if err != nil {
		return endpoint{}, fmt.Errorf("%w\n    install Chromium, so that chromium is on PATH, or set PLUMBLINE_TEST_CHROMIUM to the path of one", err)
	}
	out, err := h.run(ctx, nil, h.dir, nil, path, "--version")
	if err != nil {
		return endpoint{}, err
	}
	return endpoint{url: path, version: browserVersion(out), origin: origin}, nil
}

func installChromium(ctx context.Context, h *host) (string, error) {
	// Without a font a page has no height, and Chromium's package brings none that
	// reads well.
	for _, name := range []string{"fonts-liberation", "chromium"} {
		if err := h.installPackage(ctx, name); err != nil {
			return "", err
		}
	}
	return findChromium()
}

// browserVersion picks the version of a line such as "Chromium 140.0.1 built on
// Debian", which other lines may surround.
func browserVersion(out string) string {
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		for i := 1; i < len(words); i++ {
			if strings.HasPrefix(line, "Chromium") || strings.HasPrefix(line, "Google Chrome") {
				if c := words[i][0]; c >= '0' && c <= '9' {
					return words[i]
				}
			}
		}
	}
	return "of unknown version"
}
