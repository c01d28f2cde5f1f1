package configs

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// nodeKind is the form in which something is written.
type nodeKind uint8

const (
	scalarNode nodeKind = iota
	mappingNode
	listNode
)

func (k nodeKind) String() string { return [...]string{"a single value", "a mapping", "a list"}[k] }

// node is one value as it is written, before ${…} is expanded. An alias shares
// what is below the anchored node and stands in its own place.
type node struct {
	position
	kind    nodeKind
	written         // of a scalar
	entries []entry // of a mapping
	items   []*node // of a list
	// size is how many values the node holds with every alias written out, depth how deep they nest.
	size, depth int
}

type entry struct{ key, value *node }

// isNull says whether nothing, ~ or null is written.
func (n *node) isNull() bool {
	return n.kind == scalarNode && !n.quoted && plainForm(n.text) == formNull
}

// builder turns a parsed document into nodes.
type builder struct {
	lines
	anchors map[string]*node // nil while the anchored value is being built
	aliases *int
}

// fault is what keeps a file from being read at all.
type fault struct {
	position
	message string
}

func (f *fault) Error() string { return fmt.Sprintf("%s: %s", f.position, f.message) }

func (b *builder) fault(tk *token.Token, format string, args ...any) *fault {
	return &fault{b.at(tk), fmt.Sprintf(format, args...)}
}

func (b *builder) build(n ast.Node) (*node, error) {
	switch n := n.(type) {
	case *ast.NullNode, *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return b.scalar(n.GetToken(), plainText(n.GetToken()), false), nil
	case *ast.StringNode:
		tk := n.GetToken()
		return b.scalar(tk, n.Value, tk.Type != token.StringType), nil
	case *ast.LiteralNode:
		return b.scalar(n.GetToken(), n.Value.Value, true), nil
	case *ast.MappingNode:
		return b.mapping(n.GetToken(), n.IsFlowStyle, n.Values)
	case *ast.MappingValueNode:
		return b.mapping(n.GetToken(), false, []*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		return b.list(n)
	case *ast.AnchorNode:
		name := n.Name.GetToken().Value
		b.anchors[name] = nil
		value, err := b.build(n.Value)
		b.anchors[name] = value
		return value, err
	case *ast.AliasNode:
		return b.alias(n)
	case *ast.TagNode:
		return nil, b.fault(n.GetToken(), "tags such as %s are not supported: quote a value to make it text", shorten(n.GetToken().Value))
	case *ast.DirectiveNode:
		return nil, b.fault(n.GetToken(), "directives are not supported: remove the line")
	}
	if n == nil {
		return nil, errors.New("a value without a node")
	}
	return nil, b.fault(n.GetToken(), "this is not a value: write text, a mapping or a list")
}

// plainText is what was written; the parser writes "null" where nothing was.
func plainText(tk *token.Token) string {
	if tk.Type == token.ImplicitNullType {
		return ""
	}
	return tk.Value
}

func (b *builder) scalar(tk *token.Token, text string, quoted bool) *node {
	return &node{position: b.at(tk), kind: scalarNode, written: written{text: text, quoted: quoted}, size: 1, depth: 1}
}

func (b *builder) mapping(tk *token.Token, flow bool, values []*ast.MappingValueNode) (*node, error) {
	m := &node{position: b.at(tk), kind: mappingNode, size: 1, depth: 1}
	for _, v := range values {
		key, err := b.key(v.Key)
		if err != nil {
			return nil, err
		}
		value, err := b.build(v.Value)
		if err != nil {
			return nil, err
		}
		if value.kind == scalarNode && !value.quoted && value.text == "" {
			value.position = key.position // nothing has no place of its own
		}
		if err := m.hold(value); err != nil {
			return nil, err
		}
		m.entries = append(m.entries, entry{key, value})
	}
	if !flow && len(m.entries) > 0 {
		m.position = m.entries[0].key.position // the parser's is that of a colon
	}
	return m, nil
}

func (b *builder) key(n ast.MapKeyNode) (*node, error) {
	switch n := n.(type) {
	case *ast.MergeKeyNode:
		return nil, b.fault(n.GetToken(), "merge keys (<<) are not supported: use defaults, or write the keys out")
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.LiteralNode, *ast.InfinityNode, *ast.NanNode:
		key, err := b.build(n)
		if err != nil || !key.isNull() || n.GetToken().Type != token.ImplicitNullType {
			return key, err
		}
	}
	return nil, b.fault(n.GetToken(), "a key is a single plain or quoted word")
}

func (b *builder) list(n *ast.SequenceNode) (*node, error) {
	l := &node{position: b.at(n.GetToken()), kind: listNode, size: 1, depth: 1}
	for _, v := range n.Values {
		item, err := b.build(v)
		if err != nil {
			return nil, err
		}
		if err := l.hold(item); err != nil {
			return nil, err
		}
		l.items = append(l.items, item)
	}
	return l, nil
}

func (b *builder) alias(n *ast.AliasNode) (*node, error) {
	name := n.Value.GetToken().Value
	value, known := b.anchors[name]
	switch *b.aliases++; {
	case *b.aliases > maxAliases:
		return nil, b.fault(n.GetToken(), "more than %d aliases: write the values out", maxAliases)
	case !known:
		return nil, b.fault(n.GetToken(), "unknown alias *%s: an anchor &%[1]s must stand before it in the same document", shorten(name))
	case value == nil:
		return nil, b.fault(n.GetToken(), "alias *%s stands inside what it stands for", shorten(name))
	}
	used := *value
	used.position = b.at(n.GetToken())
	return &used, nil
}

// hold accounts for a value below n. Sizes only grow by addition, so what
// aliases multiply is refused before anything is written out.
func (n *node) hold(value *node) error {
	n.size += value.size
	n.depth = max(n.depth, value.depth+1)
	switch {
	case n.size > maxValues:
		return &fault{value.position, fmt.Sprintf("more than %d values when aliases are written out: use fewer", maxValues)}
	case n.depth > maxDepth:
		return &fault{value.position, fmt.Sprintf("nested deeper than %d levels", maxDepth)}
	}
	return nil
}
