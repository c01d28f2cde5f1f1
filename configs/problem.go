package configs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration, where it stands and
// what to do about it. It never holds a value that ${…} stands for.
type Problem struct {
	File string
	// Line and Column count from 1; a column is a character, not a byte.
	Line, Column int
	// Path leads to the setting: checks.orders.fields[2]. "" is the whole file.
	Path    string
	Message string
	// Suggestion is the word that was probably meant, or "".
	Suggestion string
}

// Error writes the problem as file:line:col: path: message (did you mean "…"?).
func (p Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: ", p.File, p.Line, p.Column)
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	if p.Suggestion != "" {
		fmt.Fprintf(&b, " (did you mean %q?)", p.Suggestion)
	}
	return b.String()
}

// Problems are all that is wrong with a configuration, by file, line and column.
type Problems []Problem

// Error writes one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// sorted orders problems and drops those told twice: what is wrong in defaults
// is met once for each check.
func (ps Problems) sorted() Problems {
	sorted := slices.Clone(ps)
	slices.SortFunc(sorted, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(sorted)
}

// position is a place in a file; line and column count from 1.
type position struct {
	file         string
	line, column int
}

func (p position) String() string { return fmt.Sprintf("%s:%d:%d", p.file, p.line, p.column) }

func (p position) problem(path, format string, args ...any) Problem {
	return Problem{File: p.file, Line: p.line, Column: p.column, Path: path, Message: fmt.Sprintf(format, args...)}
}

// within makes the path of a key below path.
func within(path, name string) string {
	if path == "" {
		return shorten(name)
	}
	return path + "." + shorten(name)
}

func itemPath(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
