package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// installPackage installs a package of the distribution, which takes root and
// apt. An installation that has begun is not interrupted: a half installed
// package would outlive us.
func (h *host) installPackage(ctx context.Context, name string) (err error) {
	if !runsAsRoot() {
		return fmt.Errorf("install the package %s: that takes root", name)
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		return fmt.Errorf("install the package %s: %w", name, err)
	}
	h.packages.Lock()
	defer h.packages.Unlock()
	h.say("installing the package %s", name)
	env := []string{"DEBIAN_FRONTEND=noninteractive"}
	allow, err := forbidServices(servicePolicy)
	if err != nil {
		return fmt.Errorf("install the package %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, allow()) }()
	if !h.refreshed {
		if _, err := h.run(ctx, nil, "/", env, apt, "update", "-q"); err != nil {
			return fmt.Errorf("refresh the list of packages: %w", err)
		}
		h.refreshed = true
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Minute)
	defer cancel()
	if _, err := h.run(limited, nil, "/", env, apt, "install", "-y", "-q", "--no-install-recommends",
		"-o", "DPkg::Lock::Timeout=120", name); err != nil {
		return fmt.Errorf("install the package %s: %w", name, err)
	}
	return ctx.Err()
}

// servicePolicy is the program that Debian's packages ask before they start a
// service of theirs.
const servicePolicy = "/usr/sbin/policy-rc.d"

// forbidServices keeps packages from starting the services they bring until allow
// is called. A policy that the machine already has stays and decides.
func forbidServices(policy string) (allow func() error, err error) {
	file, err := os.OpenFile(policy, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if errors.Is(err, os.ErrExist) {
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, fmt.Errorf("forbid packages to start services: %w", err)
	}
	_, err = file.WriteString("#!/bin/sh\nexit 101\n")
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("forbid packages to start services: %w", err), os.Remove(policy))
	}
	return func() error { return os.Remove(policy) }, nil
}

// unpackFromSuite downloads packages of another suite of this machine's own
// Debian archive and unpacks them into dir. Nothing is installed, and the
// machine's own package lists stay as they are, so any user may do it. Work is
// an empty directory for the lists.
func (h *host) unpackFromSuite(ctx context.Context, suite, work, dir string, packages ...string) error {
	text, err := archiveOfThisMachine(suite)
	if err != nil {
		return err
	}
	list := filepath.Join(work, "plumbline.sources")
	if err := os.WriteFile(list, []byte(text), 0o644); err != nil {
		return err
	}
	for _, sub := range []string{"lists/partial", "cache/archives/partial", "debs"} {
		if err := os.MkdirAll(filepath.Join(work, sub), 0o755); err != nil {
			return err
		}
	}
	private := []string{
		"-o", "Dir::Etc::sourcelist=" + list,
		"-o", "Dir::Etc::sourceparts=-",
		"-o", "Dir::State::lists=" + filepath.Join(work, "lists"),
		"-o", "Dir::Cache=" + filepath.Join(work, "cache"),
		"-o", "APT::Sandbox::User=",
		"-o", "Acquire::Languages=none",
		"-o", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
	}
	debs := filepath.Join(work, "debs")
	if _, err := h.run(ctx, nil, debs, nil, "apt-get", append(private, "update", "-q")...); err != nil {
		return fmt.Errorf("list the packages of %s: %w", suite, err)
	}
	if _, err := h.run(ctx, nil, debs, nil, "apt-get", append(append(private, "download", "-q"), packages...)...); err != nil {
		return fmt.Errorf("download packages of %s: %w", suite, err)
	}
	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return err
	}
	if len(files) != len(packages) {
		return fmt.Errorf("download packages of %s: got %d of %d", suite, len(files), len(packages))
	}
	for _, file := range files {
		if _, err := h.run(ctx, nil, debs, nil, "dpkg-deb", "-x", file, dir); err != nil {
			return fmt.Errorf("unpack %s: %w", filepath.Base(file), err)
		}
	}
	return nil
}

// archiveOfThisMachine answers a sources list for the suite at the archive that
// this machine gets its own packages from. It is an error on anything but Debian.
func archiveOfThisMachine(suite string) (string, error) {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", fmt.Errorf("look up the distribution: %w", err)
	}
	if osRelease(string(release), "ID") != "debian" {
		return "", errors.New("look up the package archive: this is not Debian")
	}
	files, err := filepath.Glob("/etc/apt/sources.list.d/*.sources")
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, file := range files {
		part, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("look up the package archive: %w", err)
		}
		text.Write(part)
		text.WriteString("\n\n")
	}
	sources, err := sourcesFor(text.String(), osRelease(string(release), "VERSION_CODENAME"), suite)
	if err != nil {
		return "", fmt.Errorf("look up the package archive in /etc/apt/sources.list.d: %w", err)
	}
	return sources, nil
}

// osRelease answers a value of the text of an os-release file.
func osRelease(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && key == name {
			return strings.Trim(value, `"'`)
		}
	}
	return ""
}

// sourcesFor takes the text of deb822 sources, picks the entry that carries the
// main component of the machine's own suite, and answers one entry like it for
// another suite.
func sourcesFor(text, own, suite string) (string, error) {
	for _, entry := range stanzas(text) {
		if strings.EqualFold(entry["enabled"], "no") ||
			!slices.Contains(strings.Fields(entry["types"]), "deb") ||
			!slices.Contains(strings.Fields(entry["suites"]), own) ||
			!slices.Contains(strings.Fields(entry["components"]), "main") ||
			entry["uris"] == "" {
			continue
		}
		out := "Types: deb\nURIs: " + entry["uris"] + "\nSuites: " + suite + "\nComponents: main\n"
		if key := entry["signed-by"]; strings.HasPrefix(key, "/") {
			out += "Signed-By: " + key + "\n"
		}
		return out, nil
	}
	return "", fmt.Errorf("no entry has the main component of %q", own)
}

// stanzas reads deb822 text: fields by their name in lower case, one map for
// every entry. Continued lines are joined by a blank, comments left out.
func stanzas(text string) []map[string]string {
	var all []map[string]string
	entry, last := map[string]string{}, ""
	for line := range strings.Lines(text + "\n\n") {
		switch trimmed := strings.TrimSpace(line); {
		case strings.HasPrefix(line, "#"):
		case trimmed == "":
			if len(entry) > 0 {
				all = append(all, entry)
			}
			entry, last = map[string]string{}, ""
		case line[0] == ' ' || line[0] == '\t':
			entry[last] = strings.TrimSpace(entry[last] + " " + trimmed)
		default:
			name, value, _ := strings.Cut(trimmed, ":")
			last = strings.ToLower(strings.TrimSpace(name))
			entry[last] = strings.TrimSpace(value)
		}
	}
	return all
}
