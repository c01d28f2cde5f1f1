package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// places finds where a path, such as checks.orders.fields[2], stands in the
// files of a configuration that is known to be valid.
type places struct {
	whole string // the file or directory
	files []placed
}

type placed struct {
	name string
	tree *ast.File
}

// newPlaces reads the files again. What cannot be read has no places: its
// problems are then told by path alone.
func newPlaces(path string) *places {
	names := []string{path}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		names, _ = filepath.Glob(filepath.Join(path, "*.yaml")) // fails only for a malformed pattern
	}
	p := &places{whole: path}
	for _, name := range names {
		if tree, err := parser.ParseFile(name, 0); err == nil {
			p.files = append(p.files, placed{name, tree})
		}
	}
	return p
}

// of returns a problem at the first of paths that stands somewhere, else at the
// nearest setting around the last of them.
func (p *places) of(paths ...string) problem {
	for _, path := range paths {
		if found, ok := p.find(path); ok {
			return found
		}
	}
	last := paths[len(paths)-1]
	for path := last; path != ""; path = parent(path) {
		if found, ok := p.find(path); ok {
			found.Path = last
			return found
		}
	}
	return problem{File: p.whole, Path: last}
}

func (p *places) find(path string) (problem, bool) {
	selector, err := yaml.PathString(selectorOf(path))
	if err != nil {
		return problem{}, false
	}
	for _, f := range p.files {
		for _, doc := range f.tree.Docs {
			if doc.Body == nil {
				continue
			}
			node, err := selector.FilterNode(doc.Body)
			if err != nil || node == nil {
				continue
			}
			at := node.GetToken().Position
			if mapping, ok := node.(*ast.MappingNode); ok && !mapping.IsFlowStyle && len(mapping.Values) > 0 {
				at = mapping.Values[0].Key.GetToken().Position // the mapping's own is that of a colon
			}
			return problem{File: f.name, Line: at.Line, Column: at.Column, Path: path}, true
		}
	}
	return problem{}, false
}

// selectorOf writes a path in the reader's language, in which names with other
// than plain characters are quoted.
func selectorOf(path string) string {
	var b strings.Builder
	b.WriteString("$")
	for _, part := range strings.Split(path, ".") {
		name, index := part, ""
		if at := strings.IndexByte(part, '['); at >= 0 {
			name, index = part[:at], part[at:]
		}
		b.WriteString(".'" + strings.ReplaceAll(name, "'", `\'`) + "'" + index)
	}
	return b.String()
}

// parent is the path of the setting around another; "" around the outermost.
func parent(path string) string {
	at := regexp.MustCompile(`(\[[0-9]+\]|\.?[^.\[\]]+)$`).FindStringIndex(path)
	if at == nil {
		return ""
	}
	return path[:at[0]]
}
