package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// startPromtool finds Prometheus's promtool and starts nothing: a test runs it
// as it needs it. The endpoint's url is the path of the program.
func startPromtool(ctx context.Context, h *host) (endpoint, error) {
	path, err := exec.LookPath("promtool")
	origin := path
	if errors.Is(err, exec.ErrNotFound) {
		if path, origin, err = cachedPromtool(ctx, h); err != nil {
			err = fmt.Errorf("look for promtool: %w", err)
		}
	}
	if err != nil {
		return endpoint{}, fmt.Errorf("%w\n    install Prometheus, so that promtool is on PATH, or set PLUMBLINE_TEST_PROMTOOL to the path of one", err)
	}
	out, err := h.run(ctx, nil, h.dir, nil, path, "--version")
	if err != nil {
		return endpoint{}, err
	}
	return endpoint{url: path, version: promtoolVersion(out), origin: origin}, nil
}

// cachedPromtool answers the promtool of the distribution's package, unpacked
// now if this machine has none yet. The package is not installed, as that would
// start a Prometheus. Runs beside each other may both unpack it; one copy stays.
func cachedPromtool(ctx context.Context, h *host) (path, origin string, err error) {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", "", fmt.Errorf("look up the distribution: %w", err)
	}
	suite := osRelease(string(release), "VERSION_CODENAME")
	cache, err := cacheDir(h)
	if err != nil {
		return "", "", err
	}
	path = filepath.Join(cache, strings.Join([]string{"promtool", suite, runtime.GOARCH}, "-"))
	origin = "the package prometheus (" + path + ")"
	if isExecutable(path) {
		return path, origin, nil
	}
	h.say("unpacking promtool from the package prometheus")
	build, err := os.MkdirTemp(cache, "build-")
	if err != nil {
		return "", "", fmt.Errorf("make a directory in the cache: %w", err)
	}
	defer os.RemoveAll(build)
	if err := h.unpackFromSuite(ctx, suite, build, build, "prometheus"); err != nil {
		return "", "", err
	}
	if err := os.Rename(filepath.Join(build, "usr/bin/promtool"), path); err != nil {
		return "", "", fmt.Errorf("put promtool into the cache: %w", err)
	}
	return path, origin + ", just unpacked", nil
}

// promtoolVersion picks the version of "promtool, version 2.42.0+ds (branch: …".
func promtoolVersion(out string) string {
	_, after, _ := strings.Cut(out, "version ")
	if words := strings.Fields(after); len(words) > 0 {
		return words[0]
	}
	return "of unknown version"
}
