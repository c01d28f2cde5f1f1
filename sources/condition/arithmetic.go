package condition

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"
	"github.com/expr-lang/expr/ast"

	"plumbline/sources"
)

// Exact is a context with digits for any sum or product that a rule, a condition
// or an invariant forms of stored numbers; what still does not fit is an error.
func Exact() *apd.Context {
	c := apd.BaseContext.WithPrecision(2000)
	c.Traps |= apd.Inexact
	return c
}

// Number reads a finite number as a decimal: an exact one exactly, a float as
// the shortest decimal that is that float, which is how people and stores write
// it. ok is false for anything else, beyond 10^±10,000 and of more than 20,000
// digits: to read a number of millions takes minutes.
func Number(v sources.Value) (d *apd.Decimal, ok bool) {
	digits, exponent, ok := v.DecimalParts()
	if v.Kind() == sources.KindFloat && !v.NaN() && v.Infinite() == 0 {
		bits := 64
		if v.Precision() == 32 {
			bits = 32
		}
		d, _, err := apd.NewFromString(strconv.FormatFloat(v.AsFloat(), 'g', -1, bits))
		return d, err == nil
	}
	if !ok || exponent > 10_000 || exponent < -10_000 || len(digits) > 20_000 {
		return nil, false
	}
	d, _, err := apd.NewFromString(digits + "e" + strconv.FormatInt(exponent, 10))
	return d, err == nil
}

var errDivision = errors.New("division by zero")

// arithmetic computes x op y exactly, a division to 50 digits.
func (l Language) arithmetic(op string, x, y evaluator) evaluator {
	return func(field func(int) sources.Value) (sources.Value, error) {
		a, b, err := both(x, y, field)
		if err != nil || l.unknown(a, b) {
			return sources.Null(), err
		}
		m, err := l.number(a)
		if err != nil {
			return sources.Value{}, err
		}
		n, err := l.number(b)
		if err != nil {
			return sources.Value{}, err
		}
		var out apd.Decimal
		switch op {
		case "+":
			_, err = Exact().Add(&out, m, n)
		case "-":
			_, err = Exact().Sub(&out, m, n)
		case "*":
			_, err = Exact().Mul(&out, m, n)
		default:
			if n.IsZero() {
				return sources.Value{}, errDivision
			}
			if op == "%" {
				_, err = Exact().Rem(&out, m, n)
			} else {
				_, err = apd.BaseContext.WithPrecision(50).Quo(&out, m, n)
			}
		}
		if err != nil {
			return sources.Value{}, fmt.Errorf("%s %s %s: %w", l.described(a), op, l.described(b), err)
		}
		return fromDecimal(&out), nil
	}
}

func (l Language) number(v sources.Value) (*apd.Decimal, error) {
	d, ok := Number(v)
	if !ok {
		return nil, fmt.Errorf("%s is no number", l.described(v))
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

// function compiles a call of one of the language's functions.
func (l Language) function(name string, arguments []ast.Node) (evaluator, error) {
	arity := map[string]int{"abs": 1, "empty": 1, "filled": 1, "round": 2}
	want, known := arity[name]
	if !known {
		return nil, fmt.Errorf("unknown function %q: there are abs, round, empty and filled", name)
	}
	if len(arguments) != want {
		return nil, fmt.Errorf("%s takes %d arguments, not %d", name, want, len(arguments))
	}
	args := make([]evaluator, len(arguments))
	for i, node := range arguments {
		var err error
		if args[i], err = l.compile(node); err != nil {
			return nil, err
		}
	}
	switch name {
	case "abs":
		return l.absolute(args[0]), nil
	case "round":
		return l.rounded(args[0], args[1]), nil
	}
	return func(field func(int) sources.Value) (sources.Value, error) {
		v, err := args[0](field)
		if name == "filled" {
			return sources.Bool(!nothing(v)), err
		}
		return sources.Bool(nothing(v) || v.Kind() == sources.KindText && v.AsText() == ""), err
	}, nil
}

func (l Language) absolute(x evaluator) evaluator {
	return func(field func(int) sources.Value) (sources.Value, error) {
		v, err := x(field)
		if err != nil || l.unknown(v) {
			return sources.Null(), err
		}
		d, err := l.number(v)
		if err != nil {
			return v, err
		}
		return fromDecimal(d.Abs(d)), nil
	}
}

// rounded rounds half away from zero.
func (l Language) rounded(x, y evaluator) evaluator {
	return func(field func(int) sources.Value) (sources.Value, error) {
		v, digits, err := both(x, y, field)
		if err != nil || l.unknown(v, digits) {
			return sources.Null(), err
		}
		d, err := l.number(v)
		if err != nil {
			return v, err
		}
		n, ok := digits.Integer()
		if !ok || n < 0 || n > 1000 {
			return v, fmt.Errorf("round to %s digits: want 0 to 1000", l.described(digits))
		}
		context := apd.BaseContext.WithPrecision(2000)
		context.Rounding = apd.RoundHalfUp
		var out apd.Decimal
		if _, err = context.Quantize(&out, d, -int32(n)); err != nil {
			return v, fmt.Errorf("round %s to %d digits: %w", l.described(v), n, err)
		}
		return fromDecimal(&out), nil
	}
}

// compare orders two numbers, two instants, two naive times, two dates or two texts.
func (l Language) compare(a, b sources.Value) (int, error) {
	if m, ok := Number(a); ok {
		if n, ok := Number(b); ok {
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
	return 0, fmt.Errorf("%s and %s have no order", l.described(a), l.described(b))
}
