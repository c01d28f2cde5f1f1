// Package all is the list of adapters.
package all

import (
	"plumbline/sources"
	"plumbline/sources/http"
	"plumbline/sources/mongodb"
	"plumbline/sources/mysql"
	"plumbline/sources/postgres"
	"plumbline/sources/redis"
	"plumbline/sources/sqlite"
)

// Kinds are the kinds of source a configuration may name, with what opens each.
func Kinds() map[string]sources.Opener {
	return map[string]sources.Opener{
		"http":     http.Open,
		"postgres": postgres.Open,
		"mongodb":  mongodb.Open,
		"mysql":    mysql.Open,
		"redis":    redis.Open,
		"sqlite":   sqlite.Open,
	}
}
