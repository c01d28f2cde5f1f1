package configs

import _ "embed"

//go:embed starter.yaml
var starter string

// Starter returns the commented configuration that `plumbline init` writes.
func Starter() []byte { return []byte(starter) }
