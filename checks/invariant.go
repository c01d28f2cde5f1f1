package checks

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

// Program is a compiled invariant and the fields it needs of each side.
type Program struct {
	eval           evaluator
	owner, replica []string
}

// evaluator computes one node of an invariant for a pair of records. Every
// result is a Value: conditions are bools, numbers exact decimals.
type evaluator func(p pairOfFields) (sources.Value, error)

// pairOfFields hands an invariant the fields it names.
type pairOfFields struct {
	owner, replica func(field string) sources.Value
}

// CompileInvariant compiles an expression of owner.field, replica.field (or
// replica['a.b'] for nested ones) and literals with + - * / % == != < <= > >=
// and or not, abs(x), round(x, digits) and empty(x), that yields true or false.
// Numbers are exact decimals; a division that does not end is rounded at 50 digits.
func CompileInvariant(name, expression string) (Invariant, error) {
	tree, err := parser.Parse(expression)
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return Invariant{}, fmt.Errorf("invariant %s: %s", name, line)
	}
	p := &Program{}
	if p.eval, err = p.compile(tree.Node); err != nil {
		return Invariant{}, fmt.Errorf("invariant %s: %w", name, err)
	}
	if len(p.owner)+len(p.replica) == 0 {
		return Invariant{}, fmt.Errorf("invariant %s: names no field of owner or replica", name)
	}
	if !yieldsCondition(tree.Node) {
		return Invariant{}, fmt.Errorf("invariant %s: is no condition: compare something", name)
	}
	return Invariant{Name: name, Expr: expression, Program: p}, nil
}

func yieldsCondition(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.BinaryNode:
		return !slices.Contains([]string{"+", "-", "*", "/", "%"}, n.Operator)
	case *ast.UnaryNode:
		return n.Operator != "-"
	case *ast.CallNode:
		return n.Callee.String() == "empty"
	case *ast.MemberNode:
		return true // a bool field
	}
	return false
}

func (p *Program) compile(node ast.Node) (evaluator, error) {
	switch n := node.(type) {
	case *ast.IntegerNode:
		return constant(sources.Int(int64(n.Value))), nil
	case *ast.FloatNode: // the shortest decimal that is this float is what was written
		v, err := sources.ParseDecimal(strconv.FormatFloat(n.Value, 'g', -1, 64))
		return constant(v), err
	case *ast.StringNode:
		return constant(sources.Text(n.Value)), nil
	case *ast.BoolNode:
		return constant(sources.Bool(n.Value)), nil
	case *ast.NilNode:
		return constant(sources.Null()), nil
	case *ast.MemberNode:
		return p.field(n)
	case *ast.UnaryNode:
		x, err := p.compile(n.Node)
		if err != nil {
			return nil, err
		}
		switch n.Operator {
		case "-":
			return arithmetic("-", constant(sources.Int(0)), x), nil
		case "not", "!":
			return func(p pairOfFields) (sources.Value, error) {
				truth, err := condition(x, p)
				return sources.Bool(!truth), err
			}, nil
		}
	case *ast.BinaryNode:
		return p.binary(n)
	case *ast.BuiltinNode:
		return p.function(n.Name, n.Arguments)
	case *ast.CallNode:
		return p.function(n.Callee.String(), n.Arguments)
	case *ast.IdentifierNode:
		return nil, fmt.Errorf("unknown name %q: fields are written owner.name or replica['a.b']", n.Value)
	}
	return nil, fmt.Errorf("%q is not part of the language of invariants", node.String())
}

func constant(v sources.Value) evaluator {
	return func(pairOfFields) (sources.Value, error) { return v, nil }
}

func (p *Program) field(n *ast.MemberNode) (evaluator, error) {
	side, ok1 := n.Node.(*ast.IdentifierNode)
	name, ok2 := n.Property.(*ast.StringNode)
	if !ok1 || !ok2 || side.Value != "owner" && side.Value != "replica" {
		return nil, fmt.Errorf("%q is no field: fields are written owner.name or replica['a.b']", n.String())
	}
	if side.Value == "owner" {
		p.owner = appendNew(p.owner, name.Value)
		return func(p pairOfFields) (sources.Value, error) { return p.owner(name.Value), nil }, nil
	}
	p.replica = appendNew(p.replica, name.Value)
	return func(p pairOfFields) (sources.Value, error) { return p.replica(name.Value), nil }, nil
}

func appendNew(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

func (p *Program) binary(n *ast.BinaryNode) (evaluator, error) {
	x, err := p.compile(n.Left)
	if err != nil {
		return nil, err
	}
	y, err := p.compile(n.Right)
	if err != nil {
		return nil, err
	}
	switch n.Operator {
	case "and", "&&", "or", "||":
		decides := n.Operator == "or" || n.Operator == "||" // the truth of x that settles it
		return func(p pairOfFields) (sources.Value, error) {
			truth, err := condition(x, p)
			if err != nil || truth == decides {
				return sources.Bool(truth), err
			}
			truth, err = condition(y, p)
			return sources.Bool(truth), err
		}, nil
	case "==", "!=":
		want := n.Operator == "=="
		return func(p pairOfFields) (sources.Value, error) {
			a, b, err := both(x, y, p)
			return sources.Bool(same(a, b, -1) == want), err
		}, nil
	case "<", "<=", ">", ">=":
		return func(p pairOfFields) (sources.Value, error) {
			a, b, err := both(x, y, p)
			if err != nil {
				return sources.Value{}, err
			}
			order, err := compare(a, b)
			holds := order < 0 && n.Operator[0] == '<' || order > 0 && n.Operator[0] == '>' || order == 0 && len(n.Operator) == 2
			return sources.Bool(holds), err
		}, nil
	case "+", "-", "*", "/", "%":
		return arithmetic(n.Operator, x, y), nil
	}
	return nil, fmt.Errorf("operator %q is not part of the language of invariants", n.Operator)
}

func both(x, y evaluator, p pairOfFields) (a, b sources.Value, err error) {
	if a, err = x(p); err == nil {
		b, err = y(p)
	}
	return a, b, err
}

func condition(x evaluator, p pairOfFields) (bool, error) {
	v, err := x(p)
	if err == nil && v.Kind() != sources.KindBool {
		err = fmt.Errorf("%s is no condition", described(v))
	}
	return v.AsBool(), err
}

// holds evaluates the invariant for one pair. An error says why it cannot be
// told, such as a field that is null.
func (p *Program) holds(owner, replica func(field string) sources.Value) (bool, error) {
	return condition(p.eval, pairOfFields{owner, replica})
}

var errDivision = errors.New("division by zero")

func described(v sources.Value) string {
	switch v.Kind() {
	case sources.KindAbsent, sources.KindNull:
		return v.Kind().String()
	}
	return v.Kind().String() + " " + v.String()
}
