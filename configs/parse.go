package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/scanner"
	"github.com/goccy/go-yaml/token"
)

// Limits of a configuration file. They are checked by counting, before the
// work they bound is done.
const (
	maxFileSize = 1 << 20 // bytes
	maxTokens   = 200_000 // words and signs of YAML: five times what a file of that size usually holds
	maxDepth    = 64      // nested mappings and lists
	maxAliases  = 1000
	maxValues   = 100_000 // values when aliases are written out
)

// parseFile reads a file's documents. What keeps a file from being read as YAML
// is told alone.
func parseFile(f File) ([]*node, *fault) {
	if bad := checkText(f); bad != nil {
		return nil, bad
	}
	l := linesOf(f)
	tokens, bad := scan(f, l)
	if bad != nil {
		return nil, bad
	}
	tree, err := parseTokens(tokens)
	if err != nil {
		return nil, syntaxFault(l, err)
	}
	var documents []*node
	aliases := 0
	for _, d := range tree.Docs {
		if d.Body == nil || d.Body.Type() == ast.CommentType || d.Body.Type() == ast.CommentGroupType {
			continue
		}
		b := &builder{lines: l, anchors: map[string]*node{}, aliases: &aliases}
		n, err := b.build(d.Body)
		if err != nil {
			return nil, syntaxFault(l, err)
		}
		if !n.isNull() {
			documents = append(documents, n)
		}
	}
	if len(documents) == 0 {
		return nil, &fault{position{f.Name, 1, 1}, "is empty: declare sources and checks, or remove the file"}
	}
	return documents, nil
}

// lines are the text of a file, to find places in.
type lines struct {
	file   string
	text   []string
	widths []int // in characters
}

func linesOf(f File) lines {
	l := lines{file: f.Name, text: strings.Split(string(f.Data), "\n")}
	for _, line := range l.text {
		l.widths = append(l.widths, utf8.RuneCountInString(line))
	}
	return l
}

// at is where a token stands. The parser puts some just outside of the text.
func (l lines) at(tk *token.Token) position {
	line := min(max(1, tk.Position.Line), len(l.text))
	return position{l.file, line, min(max(1, tk.Position.Column), l.widths[line-1]+1)}
}

// checkText refuses what no configuration holds and YAML readers disagree about.
func checkText(f File) *fault {
	start := position{f.Name, 1, 1}
	switch {
	case len(f.Data) > maxFileSize:
		return &fault{start, fmt.Sprintf("is larger than %d bytes: split it into several files of a directory", maxFileSize)}
	case bytes.HasPrefix(f.Data, []byte("\xef\xbb\xbf")):
		return &fault{start, "begins with a byte order mark: save the file as UTF-8 without one"}
	}
	for i, line := range bytes.Split(f.Data, []byte("\n")) {
		if bytes.HasPrefix(line, []byte("\t")) {
			return &fault{position{f.Name, i + 1, 1}, "tab in the indentation: indent with spaces"}
		}
		column := 1
		for rest := line; len(rest) > 0; column++ {
			r, size := utf8.DecodeRune(rest)
			at := position{f.Name, i + 1, column}
			switch {
			case r == utf8.RuneError && size == 1:
				return &fault{at, "is no valid UTF-8: save the file as UTF-8"}
			case r == '\r' && size != len(rest), r < ' ' && r != '\t' && r != '\r', r == 0x7f, r >= 0x80 && r < 0xa0, r == 0xfeff:
				return &fault{at, fmt.Sprintf("invisible character U+%04X: remove it, or write it as an escape in double quotes", r)}
			}
			rest = rest[size:]
		}
	}
	return nil
}

// scan cuts the file into tokens and refuses too many and too deep ones, since
// the parser behind it recurses.
func scan(f File, l lines) (token.Tokens, *fault) {
	var (
		tokens  token.Tokens
		s       scanner.Scanner
		aliases int
		depth   nesting
	)
	s.Init(string(f.Data))
	for {
		more, err := s.Scan()
		if errors.Is(err, io.EOF) {
			return tokens, nil
		}
		for _, tk := range more {
			at := l.at(tk)
			if tk.Type == token.AliasType {
				aliases++
			}
			switch depth.meet(tk); {
			case tk.Type == token.InvalidType:
				return nil, syntaxFault(l, &yaml.SyntaxError{Message: tk.Error, Token: tk})
			case aliases > maxAliases:
				return nil, &fault{at, fmt.Sprintf("more than %d aliases: write the values out", maxAliases)}
			case depth.levels() > maxDepth:
				return nil, &fault{at, fmt.Sprintf("nested deeper than %d levels", maxDepth)}
			}
		}
		tokens.Add(more...)
		if len(tokens) > maxTokens {
			return nil, &fault{position{l.file, 1, 1}, fmt.Sprintf("holds more than %d words and signs: split it into several files of a directory", maxTokens)}
		}
		if err != nil {
			return nil, &fault{position{l.file, 1, 1}, "cannot be read as YAML: " + err.Error()}
		}
	}
}

// nesting counts from tokens how deep the parser will recurse: brackets, and
// block entries that stand ever further to the right.
type nesting struct {
	brackets int
	columns  []int
	line     int
}

func (d *nesting) meet(tk *token.Token) {
	switch tk.Type {
	case token.CommentType:
		return
	case token.SequenceStartType, token.MappingStartType:
		d.brackets++
	case token.SequenceEndType, token.MappingEndType:
		d.brackets = max(0, d.brackets-1)
	}
	first := tk.Position.Line > d.line
	d.line = max(d.line, tk.Position.Line)
	if !first && tk.Type != token.SequenceEntryType && tk.Type != token.MappingKeyType {
		return
	}
	for len(d.columns) > 0 && d.columns[len(d.columns)-1] >= tk.Position.Column {
		d.columns = d.columns[:len(d.columns)-1]
	}
	d.columns = append(d.columns, tk.Position.Column)
}

func (d *nesting) levels() int { return d.brackets + len(d.columns) }

// parseTokens calls the parser. A panic in it is an error of this one file: a
// configuration is read again while the process serves.
func parseTokens(tokens token.Tokens) (tree *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			tree, err = nil, errors.New("the YAML reader gave up on it: write it more plainly")
		}
	}()
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey()) // duplicates are told with the other problems
}

// syntaxFault says in our words where and why the text is no YAML.
func syntaxFault(l lines, err error) *fault {
	var known *fault
	if errors.As(err, &known) {
		return known
	}
	var syntax *yaml.SyntaxError
	if !errors.As(err, &syntax) || syntax.Token == nil {
		return &fault{position{l.file, 1, 1}, "cannot be read as YAML: " + err.Error()}
	}
	at := l.at(syntax.Token)
	line := l.text[at.line-1]
	indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	switch {
	case strings.Contains(indent, "\t"):
		return &fault{position{l.file, at.line, strings.Index(indent, "\t") + 1}, "tab in the indentation: indent with spaces"}
	case strings.Contains(line, "${"):
		return &fault{at, plainly(syntax.Message) + "; inside [] and {}, put values with ${…} in quotes"}
	}
	return &fault{at, plainly(syntax.Message)}
}

// plainly says what the parser's more frequent messages mean for who writes a
// configuration.
func plainly(message string) string {
	words := map[string]string{
		"',' or '}' must be specified":                           "a comma or } is missing",
		"',' or ']' must be specified":                           "a comma or ] is missing",
		"could not find flow mapping end token '}'":              "{ is never closed: add }",
		"sequence end token ']' not found":                       "[ is never closed: add ]",
		"mapping value is not allowed in this context":           "a key is not allowed here: check the indentation, or put text that holds a colon in quotes",
		"could not find end character of double-quoted text":     "the quote is never closed: add \"",
		"could not find end character of single-quoted text":     "the quote is never closed: add '",
		"found an invalid key for this map":                      "a key is a single plain or quoted word",
		"non-map value is specified":                             "a key needs a colon and a space behind it",
		"block sequence entries are not allowed in this context": "a list is not allowed here: begin it on a line of its own",
	}
	if plain, known := words[message]; known {
		return plain
	}
	return "is no YAML: " + message
}
