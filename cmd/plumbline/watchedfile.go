package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"plumbline/configs"
)

// watchedFile is the configuration of a command that serves, with the files that
// it takes secrets from. It is safe for many goroutines.
type watchedFile struct {
	*cli

	mu      sync.Mutex
	secrets []string // the files of ${file:…}
}

// load reads the configuration as it is now.
func (f *watchedFile) load() (*configs.Config, error) {
	return f.loadWith(func(name string) ([]byte, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if !slices.Contains(f.secrets, name) {
			f.secrets = append(f.secrets, name)
		}
		return os.ReadFile(name)
	})
}

// stamp changes whenever what is in one of the files does, or there is another
// file: a hash of all of them.
func (f *watchedFile) stamp() string {
	path := f.path()
	names := []string{path}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		names, _ = filepath.Glob(filepath.Join(path, "*.y*ml")) // fails only for a malformed pattern
	}
	f.mu.Lock()
	names = append(names, f.secrets...)
	f.mu.Unlock()
	h := sha256.New()
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil { // which is a change as well: it is told when it is read as a configuration
			data = []byte(err.Error())
		}
		fmt.Fprintf(h, "%s %d\n", name, len(data))
		h.Write(data)
	}
	return string(h.Sum(nil))
}
