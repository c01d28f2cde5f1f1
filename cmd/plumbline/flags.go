package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"plumbline/sources"
)

// choice is a flag that takes one of a few words.
type choice struct {
	word  string
	words []string
}

// String is the chosen word.
func (c *choice) String() string { return c.word }

// Type is shown in the help.
func (c *choice) Type() string { return strings.Join(c.words, "|") }

// Set takes a word.
func (c *choice) Set(word string) error {
	if !slices.Contains(c.words, word) {
		if near := sources.Nearest(word, c.words); near != "" {
			return fmt.Errorf("did you mean %q?", near)
		}
		return fmt.Errorf("want one of %s", strings.Join(c.words, ", "))
	}
	c.word = word
	return nil
}

// output adds -o with the formats of a command, the first being the default.
func output(cmd *cobra.Command, formats ...string) *choice {
	c := &choice{word: formats[0], words: formats}
	cmd.Flags().VarP(c, "output", "o", "format of what is written to standard output")
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func flagNames(cmd *cobra.Command) []string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	return names
}

// exactly wants n arguments and names them where they are missing.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return fmt.Errorf("%s is missing: %s", names[len(args)], cmd.UseLine())
		case len(args) > len(names):
			return fmt.Errorf("unexpected argument %q: %s", args[len(names)], cmd.UseLine())
		}
		return nil
	}
}

// atMost accepts up to n arguments.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return fmt.Errorf("unexpected argument %q: %s", args[n], cmd.UseLine())
		}
		return nil
	}
}
