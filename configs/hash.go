package configs

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/cockroachdb/apd/v3"

	"plumbline/checks"
	"plumbline/sources"
)

// Hash tells configurations apart by what they audit, how and when: two that
// mean the same have one hash, whatever the order, the files and the comments.
// Where the ledger is and where pages are served count for nothing, since
// processes that share the work may differ in them. Addresses of sources count;
// key, which only those processes have, keeps anybody else from guessing
// passwords by it.
func (c *Config) Hash(key []byte) string {
	h := hasher{hmac.New(sha256.New, key)}
	h.value(reflect.ValueOf(c.Sources))
	h.value(reflect.ValueOf(c.Checks))
	h.value(reflect.ValueOf(c.Schedules))
	if len(c.Fixes) > 0 { // so that one that fixes nothing has the hash it always had
		h.value(reflect.ValueOf(c.Fixes))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// CheckHash tells one meaning of a check from another: it changes with what is
// compared and with the stores that are read, and not with words about the
// check, limits, its schedule, how it may be put right or other checks. check is
// one of c.Checks.
func (c *Config) CheckHash(check *checks.Check, key []byte) string {
	h := hasher{hmac.New(sha256.New, key)}
	meant := *check
	meant.Description, meant.Severity, meant.Team, meant.Runbook, meant.Findings = "", "", "", "", 0
	h.value(reflect.ValueOf(meant))
	h.value(reflect.ValueOf(c.storeOf(check.Owner.Source)))
	for i := range check.Edges {
		h.value(reflect.ValueOf(c.storeOf(check.Edges[i].Replica.Source)))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// FixHash tells one way of putting a check right from another: it changes with
// CheckHash, with how differences of its replicas may be put right, and with the
// credentials that write.
func (c *Config) FixHash(check *checks.Check, key []byte) string {
	h := hasher{hmac.New(sha256.New, key)}
	h.text(c.CheckHash(check, key))
	for i := range check.Edges {
		e := &check.Edges[i]
		h.value(reflect.ValueOf(c.Fix(check.Name, e.Name)))
		h.value(reflect.ValueOf(c.Sources[e.Replica.Source].FixURL))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// storeOf is a source without what only says how, and for whom, it is read, or
// how it is written.
func (c *Config) storeOf(name string) Source {
	s := c.Sources[name]
	s.FixURL, s.Team, s.Limits = "", "", Limits{}
	return s
}

// hasher writes values so that no two that differ are written alike.
type hasher struct{ hash.Hash }

func (h hasher) text(s string) {
	h.Write(binary.AppendUvarint(nil, uint64(len(s))))
	h.Write([]byte(s))
}

func (h hasher) number(n uint64) { h.Write(binary.BigEndian.AppendUint64(nil, n)) }

// value writes any value of a configuration. Fields that hold nothing are left
// out, so that a release which adds one does not change every hash.
func (h hasher) value(v reflect.Value) {
	if h.special(v) {
		return
	}
	switch v.Kind() {
	case reflect.String:
		h.text(v.String())
	case reflect.Bool:
		h.number(map[bool]uint64{true: 1}[v.Bool()])
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		h.number(uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		h.number(v.Uint())
	case reflect.Float64:
		h.number(math.Float64bits(v.Float()))
	case reflect.Pointer: // one that is nil is left out as what holds nothing
		h.value(v.Elem())
	case reflect.Slice:
		h.number(uint64(v.Len()))
		for i := range v.Len() {
			h.value(v.Index(i))
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
		h.number(uint64(len(keys)))
		for _, key := range keys {
			h.text(key.String())
			h.value(v.MapIndex(key))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() && !v.Field(i).IsZero() {
				h.text(field.Name)
				h.value(v.Field(i))
			} else if !field.IsExported() {
				panic(fmt.Sprintf("configs: %s has fields that no hash can tell apart", v.Type()))
			}
		}
		h.text("")
	default:
		panic(fmt.Sprintf("configs: a %s cannot be hashed", v.Type()))
	}
}

// special writes the values that know better than their fields what they mean.
func (h hasher) special(v reflect.Value) bool {
	switch x := v.Interface().(type) {
	case sources.Value:
		h.text(string(x.AppendEncoding(nil)))
	case *apd.Decimal:
		h.text(x.String())
	case time.Time:
		h.text(x.UTC().Format(time.RFC3339Nano))
	case *time.Location:
		h.text(x.String())
	case *checks.Program: // follows from the invariant's text
	default:
		return false
	}
	return true
}
