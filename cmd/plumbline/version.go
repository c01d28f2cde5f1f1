package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"plumbline/cmd/plumbline/report"
)

// build is what is known about this binary.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// thisBuild takes the version from the linker, else from the module, and the
// revision from what go build recorded.
func thisBuild() build {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if ok && (b.Version == "" || b.Version == "unknown") {
		b.Version = info.Main.Version
	}
	if b.Version == "" || b.Version == "unknown" || b.Version == "(devel)" {
		b.Version = "development build"
	}
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (b build) String() string {
	text := "plumbline " + b.Version
	if b.Revision != "" {
		text += " (" + b.Revision[:min(12, len(b.Revision))]
		if b.Modified {
			text += ", modified"
		}
		text += ")"
	}
	return text + " " + b.Go + " " + b.Platform
}

func (c *cli) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  atMost(0),
	}
	format := output(cmd, "table", "json")
	cmd.RunE = func(*cobra.Command, []string) error {
		var err error
		if format.word == "json" {
			err = report.WriteJSON(c.stdout, thisBuild())
		} else {
			_, err = fmt.Fprintln(c.stdout, thisBuild())
		}
		return c.written(err)
	}
	return cmd
}
