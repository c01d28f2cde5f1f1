package checks

import (
	"errors"
	"fmt"
	"slices"

	"plumbline/sources"
	"plumbline/sources/condition"
)

// Program is a compiled invariant and the fields it needs of each side.
type Program struct {
	expression     *condition.Expression
	fields         []sideField // by slot
	owner, replica []string
}

// sideField is a field as an invariant names it.
type sideField struct {
	side Role
	name string
}

// CompileInvariant compiles an expression of owner.field, replica.field (or
// replica['a.b'] for nested ones) in the language of package condition that
// yields true or false. Null is a value like any other that has no order.
func CompileInvariant(name, expression string) (Invariant, error) {
	p := &Program{}
	var err error
	if p.expression, err = (condition.Language{Field: p.slot}).Compile(expression); err != nil {
		return Invariant{}, fmt.Errorf("invariant %s: %w", name, err)
	}
	if len(p.fields) == 0 {
		return Invariant{}, fmt.Errorf("invariant %s: %w", name, errNoSide)
	}
	return Invariant{Name: name, Expr: expression, Program: p}, nil
}

var errNoSide = errors.New("names no field of owner or replica")

func (p *Program) slot(path []string, spelling string) (int, error) {
	switch {
	case len(path) == 1:
		return 0, fmt.Errorf("unknown name %q: fields are written owner.name or replica['a.b']", spelling)
	case len(path) != 2 || path[0] != string(OwnerSide) && path[0] != string(ReplicaSide):
		return 0, fmt.Errorf("%q is no field: fields are written owner.name or replica['a.b']", spelling)
	}
	f := sideField{Role(path[0]), path[1]}
	if i := slices.Index(p.fields, f); i >= 0 {
		return i, nil
	}
	p.fields = append(p.fields, f)
	if f.side == OwnerSide {
		p.owner = append(p.owner, f.name)
	} else {
		p.replica = append(p.replica, f.name)
	}
	return len(p.fields) - 1, nil
}

// holds evaluates the invariant for one pair. An error says why it cannot be
// told, such as a field that is null.
func (p *Program) holds(owner, replica func(field string) sources.Value) (bool, error) {
	return p.expression.Holds(func(slot int) sources.Value {
		f := p.fields[slot]
		if f.side == OwnerSide {
			return owner(f.name)
		}
		return replica(f.name)
	})
}
