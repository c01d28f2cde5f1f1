package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"plumbline/configs"
)

func (c *cli) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a commented starting configuration",
		Long: `Write a commented starting configuration to FILE, by default plumbline.yaml. A
file that exists is never overwritten.`,
		Args: atMost(1),
		RunE: func(_ *cobra.Command, args []string) error {
			file := defaultConfig
			if len(args) == 1 {
				file = args[0]
			}
			return c.writeStarter(file)
		},
	}
}

func (c *cli) writeStarter(file string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists and is left as it is: name another file, as in plumbline init new.yaml", file)
	}
	if err != nil {
		return fmt.Errorf("write a starting configuration: %w", err)
	}
	_, err = f.Write(configs.Starter())
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	flag := ""
	if file != defaultConfig {
		flag = " -c " + file
	}
	c.console.Note(fmt.Sprintf(`wrote %s. Next:
  plumbline schema > plumbline.schema.json    your editor then checks it while you type
  edit %s: your sources and one check
  plumbline validate --connect%s    asks your stores whether it fits them
  plumbline run%s`, file, file, flag, flag))
	return nil
}

func (c *cli) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of the configuration, for editors",
		Example: "  plumbline schema > plumbline.schema.json",
		Args:    atMost(0),
		RunE: func(*cobra.Command, []string) error {
			schema, err := configs.Schema()
			if err != nil {
				return err
			}
			_, err = c.stdout.Write(schema)
			return c.written(err)
		},
	}
}
