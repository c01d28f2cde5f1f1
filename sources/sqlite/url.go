package sqlite

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// location is where a database is, taken from a source's URL.
type location struct {
	path     string
	attached []attachment
	mode     string // ro or rw, where the URL says so
}

// attachment is a further file whose tables are read as name.table.
type attachment struct{ name, path string }

// parseURL reads sqlite:///abs/path.db, sqlite://relative.db, file:path.db or a
// plain path, each with ?attach=name:path any number of times. Its errors never
// show a value of the query, which may hold a secret.
func parseURL(text string) (location, error) {
	rest, query, _ := strings.Cut(text, "?")
	switch {
	case strings.HasPrefix(rest, "sqlite://"):
		rest = strings.TrimPrefix(rest, "sqlite://")
	case strings.HasPrefix(rest, "sqlite:"):
		rest = strings.TrimPrefix(rest, "sqlite:")
	case strings.HasPrefix(rest, "file://localhost/"):
		rest = strings.TrimPrefix(rest, "file://localhost")
	case strings.HasPrefix(rest, "file:"):
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, "file:"), "//")
	case strings.Contains(rest, "://"):
		return location{}, errors.New("the url of a sqlite source is sqlite:///absolute/path.db, sqlite://relative.db, file:path.db or a path")
	default:
		query, rest = "", text // a plain path may hold any character
	}
	path := rest
	if rest != text {
		unescaped, err := url.PathUnescape(rest)
		if err != nil {
			return location{}, errors.New("the path in the url is not escaped rightly: write a percent sign as %25")
		}
		path = unescaped
	}
	if path == "" || path == ":memory:" || strings.Contains(path, "\x00") {
		return location{}, errors.New("the url names no file; a sqlite source reads a database file, sqlite:///absolute/path.db")
	}
	l := location{path: path}
	values, err := url.ParseQuery(query)
	if err != nil {
		return location{}, errors.New("the url has a query that cannot be read")
	}
	for key, vs := range values {
		switch key {
		case "attach":
			for _, v := range vs {
				name, file, ok := strings.Cut(v, ":")
				if !ok || name == "" || file == "" {
					return location{}, errors.New("attach in the url is written attach=name:path")
				}
				l.attached = append(l.attached, attachment{name, file})
			}
		case "mode":
			if len(vs) != 1 || vs[0] != "ro" && vs[0] != "rw" {
				return location{}, errMode
			}
			l.mode = vs[0]
		default:
			return location{}, fmt.Errorf("the url has the parameter %q; attach and mode=ro are known", key)
		}
	}
	return l, nil
}

// errMode is no place for the mode itself, which might be anything.
var errMode = errors.New("mode in the url can only be ro: a source is read, and only its fix_url may write (mode=rw)")

// dsn is what the driver opens: read-only twice over, with unknown names in
// double quotes an error and no text. A writer is waited for a moment here and
// longer by whoever retries, who can be cancelled.
func (l location) dsn() string {
	return readOnly(l.path) + "&_query_only=1&_dqs=0&_busy_timeout=250"
}

// writingDSN is what the driver opens to write: a file that is there. Foreign keys
// are enforced, so that a write means what it means to the program whose file it
// is; a commit is on the disk when it returns; and a schema cannot call what is
// not harmless.
func (l location) writingDSN() string {
	return fmt.Sprintf("%s&_dqs=0&_busy_timeout=%d&_pragma=foreign_keys(1)&_pragma=trusted_schema(0)", writable(l.path), lockWait.Milliseconds())
}

func readOnly(path string) string { return fileURI(path) + "?mode=ro" }

func writable(path string) string { return fileURI(path) + "?mode=rw" }

func fileURI(path string) string {
	path = filepath.ToSlash(path)
	escaped := (&url.URL{Path: path}).EscapedPath()
	return "file:" + strings.ReplaceAll(escaped, "?", "%3f")
}

// paths are those of all files, the main one's first.
func (l location) paths() []string {
	paths := []string{l.path}
	for _, a := range l.attached {
		paths = append(paths, a.path)
	}
	return paths
}

// barred says which of the files, though there, cannot be opened at all, and
// why; nil when nothing is wrong with them that we can see.
func (l location) barred() error {
	for _, file := range l.paths() {
		info, err := os.Stat(file)
		switch {
		case err != nil:
			return fmt.Errorf("open database file: %w", err)
		case info.IsDir():
			return fmt.Errorf("%s is a folder, not a database file", file)
		}
		if err := readable(file); err != nil {
			return fmt.Errorf("open database file: %w", err)
		}
	}
	return nil
}
