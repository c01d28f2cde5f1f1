package sources

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// A decimal is digits × 10^exponent: v.str holds the sign and the digits
// without leading or trailing zeros ("0" for zero, whose exponent is 0) and
// v.num the exponent. So every number has one form, and comparing forms never
// writes out the zeros of 1e6144.

// maxExponent bounds the exponent a text may ask for. PostgreSQL's numeric
// ends at 131,072 digits and Decimal128 at 6,144.
const maxExponent = 1_000_000

// DecimalNaN is a decimal that is not a number.
func DecimalNaN() Value { return Value{kind: KindDecimal, flag: flagNaN} }

// DecimalInfinity is the positive (sign > 0) or negative infinite decimal.
func DecimalInfinity(sign int) Value { return Value{kind: KindDecimal, flag: infinity(sign)} }

// Decimal makes the decimal digits × 10^exponent. digits is an optional minus
// sign and at least one ASCII digit; scale is how many digits after the point
// the store declares or delivered, for display.
func Decimal(digits string, exponent int64, scale int) Value {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	digits = strings.TrimLeft(digits, "0")
	trimmed := strings.TrimRight(digits, "0")
	exponent += int64(len(digits) - len(trimmed))
	if trimmed == "" {
		sign, trimmed, exponent = "", "0", 0
	}
	return Value{kind: KindDecimal, prec: uint8(min(max(scale, 0), 255)), num: exponent, str: sign + trimmed}
}

func decimalFromUint(u uint64) Value { return Decimal(strconv.FormatUint(u, 10), 0, 0) }

// ParseDecimal reads a decimal as people and stores write it: 12, -12.50,
// 1.5e-7, NaN, Infinity. An exponent beyond ±1,000,000 is an error.
func ParseDecimal(s string) (Value, error) {
	switch strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(s, "+"), "-")) {
	case "nan":
		return DecimalNaN(), nil
	case "infinity", "inf":
		if s[0] == '-' {
			return DecimalInfinity(-1), nil
		}
		return DecimalInfinity(1), nil
	}
	mantissa, exponent := s, int64(0)
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, err := strconv.ParseInt(s[i+1:], 10, 64)
		if err != nil || e > maxExponent || e < -maxExponent {
			return Value{}, fmt.Errorf("%q is no decimal within 10^±%d", s, maxExponent)
		}
		mantissa, exponent = s[:i], e
	}
	sign := ""
	if mantissa != "" && (mantissa[0] == '-' || mantissa[0] == '+') {
		if mantissa[0] == '-' {
			sign = "-"
		}
		mantissa = mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole+fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return Value{}, fmt.Errorf("%q is no decimal", s)
	}
	exponent -= int64(len(fraction))
	return Decimal(sign+whole+fraction, exponent, int(max(-exponent, 0))), nil
}

// DecimalParts returns the signed digits and the exponent of a finite int or
// decimal; ok is false for everything else.
func (v Value) DecimalParts() (digits string, exponent int64, ok bool) {
	switch {
	case v.kind == KindInt:
		d := Decimal(strconv.FormatInt(v.num, 10), 0, 0)
		return d.str, d.num, true
	case v.kind == KindDecimal && v.flag == 0:
		return v.str, v.num, true
	}
	return "", 0, false
}

// Integer returns v as an int where v is an int, an integral decimal or an
// integral float that fits 64 bits exactly.
func (v Value) Integer() (i int64, ok bool) {
	switch v.kind {
	case KindInt:
		return v.num, true
	case KindDecimal:
		if v.flag != 0 || v.num < 0 || v.num > 19 {
			return 0, false
		}
		i, err := strconv.ParseInt(v.str+strings.Repeat("0", int(v.num)), 10, 64)
		return i, err == nil
	case KindFloat:
		f := v.AsFloat()
		if f != math.Trunc(f) || f < -1<<63 || f >= 1<<63 {
			return 0, false
		}
		return int64(f), true
	}
	return 0, false
}

// ExactDecimal returns the exact decimal that a finite number is: a float's is
// the full expansion of its binary fraction. ok is false for NaN, infinities
// and kinds that are no number.
func (v Value) ExactDecimal() (d Value, ok bool) {
	switch v.kind {
	case KindInt:
		return Decimal(strconv.FormatInt(v.num, 10), 0, 0), true
	case KindDecimal:
		return v, v.flag == 0
	case KindFloat:
		f := v.AsFloat()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return Value{}, false
		}
		// f = m / 2^k exactly, and m / 2^k = m × 5^k / 10^k.
		r := new(big.Rat).SetFloat64(f)
		k := int64(r.Denom().BitLen() - 1)
		m := new(big.Int).Mul(r.Num(), new(big.Int).Exp(big.NewInt(5), big.NewInt(k), nil))
		return Decimal(m.String(), -k, 0), true
	}
	return Value{}, false
}

// decimalText writes a decimal plainly, with at least its scale's digits after
// the point, and in scientific notation where plain writing would be long.
func (v Value) decimalText() string {
	switch {
	case v.NaN():
		return "NaN"
	case v.Infinite() > 0:
		return "Infinity"
	case v.Infinite() < 0:
		return "-Infinity"
	}
	digits, sign := v.str, ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	if v.num > 40 || v.num < -400 {
		return sign + digits + "E" + strconv.FormatInt(v.num, 10)
	}
	fraction := ""
	if v.num >= 0 {
		digits += strings.Repeat("0", int(v.num))
	} else {
		point := int(-v.num)
		if len(digits) <= point {
			digits = strings.Repeat("0", point-len(digits)+1) + digits
		}
		digits, fraction = digits[:len(digits)-point], digits[len(digits)-point:]
	}
	if scale := int(v.prec); len(fraction) < scale {
		fraction += strings.Repeat("0", scale-len(fraction))
	}
	if digits == "" {
		digits = "0"
	}
	if fraction == "" {
		return sign + digits
	}
	return sign + digits + "." + fraction
}
