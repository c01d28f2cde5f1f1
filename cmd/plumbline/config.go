package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"plumbline/checks"
	"plumbline/configs"
)

const defaultConfig = "plumbline.yaml"

// path is where the configuration is: -c, then PLUMBLINE_CONFIG, then plumbline.yaml.
func (c *cli) path() string {
	if c.configPath != "" {
		return c.configPath
	}
	if named := c.getenv("PLUMBLINE_CONFIG"); named != "" {
		return named
	}
	return defaultConfig
}

// load reads the configuration and remembers what is secret in it.
func (c *cli) load() (*configs.Config, error) {
	return c.loadWith(os.ReadFile)
}

// loadWith reads the configuration, and the files of ${file:…} through readFile.
func (c *cli) loadWith(readFile func(string) ([]byte, error)) (*configs.Config, error) {
	config, err := configs.Load(c.path(), c.lookupEnv, readFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("no configuration: %s does not exist: write one with plumbline init, or name one with -c", c.path())
	case err != nil:
		return nil, err
	}
	c.keep(config)
	return config, nil
}

// pick finds the checks of these names, in their order; all where none is named.
func pick(config *configs.Config, names []string) ([]*checks.Check, error) {
	var known []string
	byName := map[string]*checks.Check{}
	for i := range config.Checks {
		known = append(known, config.Checks[i].Name)
		byName[config.Checks[i].Name] = &config.Checks[i]
	}
	if len(names) == 0 {
		names = known
	}
	var picked []*checks.Check
	for _, name := range names {
		check := byName[name]
		if check == nil {
			return nil, errors.New(noSuch("check", name, known, "there are "+listed(known)))
		}
		if !slices.Contains(picked, check) {
			picked = append(picked, check)
		}
	}
	if len(picked) == 0 {
		return nil, errors.New("no checks are configured, so nothing can be compared: declare one under checks")
	}
	return picked, nil
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// sourceNames are the names of the configured sources, sorted.
func sourceNames(config *configs.Config) []string {
	var names []string
	for name := range config.Sources {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// completeChecks offers the names of checks to a shell.
func (c *cli) completeChecks(most int) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		config, err := c.load()
		if err != nil || most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for i := range config.Checks {
			names = append(names, cobra.CompletionWithDesc(config.Checks[i].Name, config.Checks[i].Description))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeSources offers the names of sources to a shell.
func (c *cli) completeSources(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	config, err := c.load()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return sourceNames(config), cobra.ShellCompDirectiveNoFileComp
}
