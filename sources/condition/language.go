package condition

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"plumbline/sources"
)

// Language is the language of conditions and invariants: fields and literals
// with + - * / % == != < <= > >= and or not, abs(x), round(x, digits), empty(x)
// and filled(x). Numbers are exact decimals; a division that does not end is
// rounded at 50 digits.
type Language struct {
	// Field gives a number to the field that path names, part by part, or refuses
	// it; spelling is how the expression writes it. The path of one that is
	// computed is empty.
	Field func(path []string, spelling string) (slot int, err error)
	// Unknown: absent and null are unknown in every comparison and sum, as in SQL.
	// Otherwise they are values like any other that have no order. With it no
	// error quotes a value.
	Unknown bool

	text []rune // the expression that is compiled
}

// Expression is a compiled expression that yields true or false.
type Expression struct {
	language Language
	eval     evaluator
}

// evaluator computes one node. Every result is a Value: truths are bools,
// numbers exact decimals, and what is unknown is null.
type evaluator func(field func(slot int) sources.Value) (sources.Value, error)

// Compile reads an expression that yields true or false.
func (l Language) Compile(text string) (*Expression, error) {
	tree, err := parser.Parse(text)
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return nil, errors.New(line)
	}
	l.text = []rune(text)
	eval, err := l.compile(tree.Node)
	if err != nil {
		return nil, err
	}
	if !yieldsTruth(tree.Node) {
		return nil, errors.New("is no condition: compare something")
	}
	return &Expression{language: l, eval: eval}, nil
}

// Holds evaluates the expression; field gives the fields by their numbers. An
// error says why it cannot be told.
func (x *Expression) Holds(field func(slot int) sources.Value) (bool, error) {
	v, err := x.language.truth(x.eval, field)
	return v.AsBool(), err
}

func yieldsTruth(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.BinaryNode:
		return !slices.Contains([]string{"+", "-", "*", "/", "%"}, n.Operator)
	case *ast.UnaryNode:
		return n.Operator != "-"
	case *ast.CallNode:
		return true // empty or filled: other functions are built in
	case *ast.MemberNode, *ast.IdentifierNode:
		return true // a bool field
	}
	return false
}

func (l Language) compile(node ast.Node) (evaluator, error) {
	switch n := node.(type) {
	case *ast.IntegerNode:
		return constant(sources.Int(int64(n.Value))), nil
	case *ast.FloatNode:
		return l.literal(n)
	case *ast.StringNode:
		return constant(sources.Text(n.Value)), nil
	case *ast.BoolNode:
		return constant(sources.Bool(n.Value)), nil
	case *ast.NilNode:
		if l.Unknown {
			return nil, errors.New("nothing equals nil: write filled(x) or not filled(x)")
		}
		return constant(sources.Null()), nil
	case *ast.IdentifierNode, *ast.MemberNode:
		return l.field(node)
	case *ast.UnaryNode:
		return l.unary(n)
	case *ast.BinaryNode:
		return l.binary(n)
	case *ast.BuiltinNode:
		return l.function(n.Name, n.Arguments)
	case *ast.CallNode:
		return l.function(n.Callee.String(), n.Arguments)
	}
	return nil, fmt.Errorf("%q is not part of the language", node.String())
}

// literal reads a number as it is written: as a float it might be another.
func (l Language) literal(n *ast.FloatNode) (evaluator, error) {
	at := n.Location()
	if at.From < 0 || at.To > len(l.text) || at.From >= at.To {
		return nil, fmt.Errorf("number %s: cannot be found in the expression", n.String())
	}
	written := strings.ReplaceAll(string(l.text[at.From:at.To]), "_", "")
	if f, err := strconv.ParseFloat(written, 64); err != nil || f != n.Value {
		return nil, fmt.Errorf("number %s: cannot be read exactly: write it without an exponent", n.String())
	}
	v, err := sources.ParseDecimal(written)
	return constant(v), err
}

func constant(v sources.Value) evaluator {
	return func(func(int) sources.Value) (sources.Value, error) { return v, nil }
}

func (l Language) field(node ast.Node) (evaluator, error) {
	slot, err := l.Field(pathOf(node), node.String())
	if err != nil {
		return nil, err
	}
	return func(field func(int) sources.Value) (sources.Value, error) { return field(slot), nil }, nil
}

// pathOf takes a.b['c.d'] apart; nil where a part is computed.
func pathOf(node ast.Node) []string {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		return []string{n.Value}
	case *ast.MemberNode:
		name, named := n.Property.(*ast.StringNode)
		if path := pathOf(n.Node); path != nil && named {
			return append(path, name.Value)
		}
	}
	return nil
}

func (l Language) unary(n *ast.UnaryNode) (evaluator, error) {
	x, err := l.compile(n.Node)
	if err != nil {
		return nil, err
	}
	switch n.Operator {
	case "-":
		return l.arithmetic("-", constant(sources.Int(0)), x), nil
	case "not", "!":
		return func(field func(int) sources.Value) (sources.Value, error) {
			truth, err := l.truth(x, field)
			if err != nil || truth.IsNull() {
				return truth, err
			}
			return sources.Bool(!truth.AsBool()), nil
		}, nil
	}
	return nil, fmt.Errorf("%q is not part of the language", n.String())
}

func (l Language) binary(n *ast.BinaryNode) (evaluator, error) {
	x, err := l.compile(n.Left)
	if err != nil {
		return nil, err
	}
	y, err := l.compile(n.Right)
	if err != nil {
		return nil, err
	}
	switch n.Operator {
	case "and", "&&":
		return l.decided(x, y, false), nil
	case "or", "||":
		return l.decided(x, y, true), nil
	case "==", "!=", "<", "<=", ">", ">=":
		return l.comparison(n.Operator, x, y), nil
	case "+", "-", "*", "/", "%":
		return l.arithmetic(n.Operator, x, y), nil
	}
	return nil, fmt.Errorf("operator %q is not part of the language", n.Operator)
}

// decided is and (by false) or or (by true): either side settles it, and where
// neither does, one that is unknown leaves it unknown. The right side is looked
// at only where the left has not settled it.
func (l Language) decided(x, y evaluator, by bool) evaluator {
	return func(field func(int) sources.Value) (sources.Value, error) {
		a, err := l.truth(x, field)
		if err != nil || a.Kind() == sources.KindBool && a.AsBool() == by {
			return a, err
		}
		b, err := l.truth(y, field)
		if err != nil || b.Kind() == sources.KindBool && b.AsBool() == by || !a.IsNull() {
			return b, err
		}
		return a, nil
	}
}

func (l Language) comparison(op string, x, y evaluator) evaluator {
	return func(field func(int) sources.Value) (sources.Value, error) {
		a, b, err := both(x, y, field)
		if err != nil || l.unknown(a, b) {
			return sources.Null(), err
		}
		if op == "==" || op == "!=" {
			return sources.Bool(sources.Same(a, b, -1) == (op == "==")), nil
		}
		order, err := l.compare(a, b)
		holds := order < 0 && op[0] == '<' || order > 0 && op[0] == '>' || order == 0 && len(op) == 2
		return sources.Bool(holds), err
	}
}

func both(x, y evaluator, field func(int) sources.Value) (a, b sources.Value, err error) {
	if a, err = x(field); err == nil {
		b, err = y(field)
	}
	return a, b, err
}

// unknown says whether a result cannot be known for want of one of its parts.
func (l Language) unknown(parts ...sources.Value) bool {
	return l.Unknown && slices.ContainsFunc(parts, nothing)
}

func nothing(v sources.Value) bool { return v.IsAbsent() || v.IsNull() }

// truth is a bool, or null where it is unknown.
func (l Language) truth(x evaluator, field func(int) sources.Value) (sources.Value, error) {
	v, err := x(field)
	switch {
	case err != nil:
	case l.unknown(v):
		return sources.Null(), nil
	case v.Kind() != sources.KindBool:
		err = fmt.Errorf("%s is no condition", l.described(v))
	}
	return v, err
}

// described names a value for an error.
func (l Language) described(v sources.Value) string {
	if l.Unknown || nothing(v) {
		return v.Kind().String()
	}
	return v.Kind().String() + " " + v.String()
}
