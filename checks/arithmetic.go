package checks

import (
	"fmt"
	"strings"

	"github.com/cockroachdb/apd/v3"
	"github.com/expr-lang/expr/ast"

	"plumbline/sources"
)

// arithmetic computes x op y exactly, a division to 50 digits.
func arithmetic(op string, x, y evaluator) evaluator {
	return func(p pairOfFields) (sources.Value, error) {
		a, b, err := both(x, y, p)
		if err != nil {
			return sources.Value{}, err
		}
		m, err := numberOf(a)
		if err != nil {
			return sources.Value{}, err
		}
		n, err := numberOf(b)
		if err != nil {
			return sources.Value{}, err
		}
		var out apd.Decimal
		switch op {
		case "+":
			_, err = exact().Add(&out, m, n)
		case "-":
			_, err = exact().Sub(&out, m, n)
		case "*":
			_, err = exact().Mul(&out, m, n)
		default:
			if n.IsZero() {
				return sources.Value{}, errDivision
			}
			if op == "%" {
				_, err = exact().Rem(&out, m, n)
			} else {
				_, err = apd.BaseContext.WithPrecision(50).Quo(&out, m, n)
			}
		}
		if err != nil {
			return sources.Value{}, fmt.Errorf("%s %s %s: %w", a, op, b, err)
		}
		return fromDecimal(&out), nil
	}
}

func numberOf(v sources.Value) (*apd.Decimal, error) {
	d, ok := number(v)
	if !ok {
		return nil, fmt.Errorf("%s is no number", described(v))
	}
	return d, nil
}

func fromDecimal(d *apd.Decimal) sources.Value {
	digits := d.Coeff.String()
	if d.Negative {
		digits = "-" + digits
	}
	return sources.Decimal(digits, int64(d.Exponent), int(max(-d.Exponent, 0)))
}

// function compiles a call of one of the functions of invariants.
func (p *Program) function(name string, arguments []ast.Node) (evaluator, error) {
	arity := map[string]int{"abs": 1, "empty": 1, "round": 2}
	want, known := arity[name]
	if !known {
		return nil, fmt.Errorf("unknown function %q: there are abs, round and empty", name)
	}
	if len(arguments) != want {
		return nil, fmt.Errorf("%s takes %d arguments, not %d", name, want, len(arguments))
	}
	args := make([]evaluator, len(arguments))
	for i, node := range arguments {
		var err error
		if args[i], err = p.compile(node); err != nil {
			return nil, err
		}
	}
	switch name {
	case "abs":
		return func(p pairOfFields) (sources.Value, error) {
			v, err := args[0](p)
			if err != nil {
				return v, err
			}
			d, err := numberOf(v)
			if err != nil {
				return v, err
			}
			return fromDecimal(d.Abs(d)), nil
		}, nil
	case "empty":
		return func(p pairOfFields) (sources.Value, error) {
			v, err := args[0](p)
			nothing := v.IsAbsent() || v.IsNull() || v.Kind() == sources.KindText && v.AsText() == ""
			return sources.Bool(nothing), err
		}, nil
	}
	return func(p pairOfFields) (sources.Value, error) {
		v, digits, err := both(args[0], args[1], p)
		if err != nil {
			return v, err
		}
		return round(v, digits)
	}, nil
}

// round rounds half away from zero.
func round(v, digits sources.Value) (sources.Value, error) {
	d, err := numberOf(v)
	if err != nil {
		return v, err
	}
	n, ok := digits.Integer()
	if !ok || n < 0 || n > 1000 {
		return v, fmt.Errorf("round to %s digits: want 0 to 1000", digits)
	}
	context := apd.BaseContext.WithPrecision(2000)
	context.Rounding = apd.RoundHalfUp
	var out apd.Decimal
	if _, err = context.Quantize(&out, d, -int32(n)); err != nil {
		return v, fmt.Errorf("round %s to %d digits: %w", v, n, err)
	}
	return fromDecimal(&out), nil
}

// compare orders two numbers, two instants, two naive times, two dates or two texts.
func compare(a, b sources.Value) (int, error) {
	if m, ok := number(a); ok {
		if n, ok := number(b); ok {
			return m.Cmp(n), nil
		}
	}
	if a.Kind() == b.Kind() && a.Naive() == b.Naive() {
		switch a.Kind() {
		case sources.KindTime, sources.KindDate:
			if a.Infinite() != 0 || b.Infinite() != 0 {
				return a.Infinite() - b.Infinite(), nil
			}
			if a.Kind() == sources.KindDate {
				return int(max(-1, min(1, a.AsDays()-b.AsDays()))), nil
			}
			return a.AsTime().Compare(b.AsTime()), nil
		case sources.KindText:
			return strings.Compare(a.AsText(), b.AsText()), nil
		}
	}
	return 0, fmt.Errorf("%s and %s have no order", described(a), described(b))
}
