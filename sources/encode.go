package sources

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// One encoding serves keys, hashes and fingerprints. Each value is its kind, its
// flags, the length of what follows as a varint, and that many bytes. It is
// injective: two values encode alike exactly when Equal holds, and no encoding
// is the beginning of another, so that encodings may be joined without separators.

// AppendEncoding appends v's encoding to b.
func (v Value) AppendEncoding(b []byte) []byte {
	b = append(b, byte(v.kind), v.flag)
	switch v.kind {
	case KindAbsent, KindNull:
		return append(b, 0)
	case KindBool, KindInt, KindFloat, KindDate:
		b = append(b, 8)
		return binary.BigEndian.AppendUint64(b, uint64(v.num))
	case KindTime:
		b = append(b, 12)
		b = binary.BigEndian.AppendUint64(b, uint64(v.num))
		return appendUint32(b, uint32(v.nanos))
	case KindDecimal, KindDuration:
		b = binary.AppendUvarint(b, uint64(8+len(v.str)))
		b = binary.BigEndian.AppendUint64(b, uint64(v.num))
		return append(b, v.str...)
	case KindList:
		var body []byte
		for _, item := range v.Items() {
			body = item.AppendEncoding(body)
		}
		b = binary.AppendUvarint(b, uint64(len(body)))
		return append(b, body...)
	case KindDocument:
		var body []byte
		for _, f := range v.Fields() {
			body = binary.AppendUvarint(body, uint64(len(f.Name)))
			body = append(body, f.Name...)
			body = f.Value.AppendEncoding(body)
		}
		b = binary.AppendUvarint(b, uint64(len(body)))
		return append(b, body...)
	default: // text, bytes, uuid, objectid
		b = binary.AppendUvarint(b, uint64(len(v.str)))
		return append(b, v.str...)
	}
}

var errEncoding = errors.New("not an encoded value")

// DecodeValue reads one value from the front of b and returns the rest. The
// value's precision is not part of the encoding and comes back as 0.
func DecodeValue(b []byte) (v Value, rest []byte, err error) {
	if len(b) < 3 || b[0] > byte(KindDocument) {
		return Value{}, nil, errEncoding
	}
	v.kind, v.flag = Kind(b[0]), b[1]
	body, rest, err := cut(b[2:])
	if err != nil {
		return Value{}, nil, err
	}
	switch v.kind {
	case KindAbsent, KindNull:
	case KindBool, KindInt, KindFloat, KindDate, KindTime, KindDecimal, KindDuration:
		if len(body) < 8 || v.kind == KindTime && len(body) != 12 {
			return Value{}, nil, errEncoding
		}
		v.num = int64(binary.BigEndian.Uint64(body))
		if v.kind == KindTime {
			v.nanos = int32(binary.BigEndian.Uint32(body[8:]))
		} else {
			v.str = string(body[8:])
		}
	case KindList, KindDocument:
		v.nested = &nested{}
		for len(body) > 0 {
			var f Field
			if v.kind == KindDocument {
				var name []byte
				if name, body, err = cut(body); err != nil {
					return Value{}, nil, err
				}
				f.Name = string(name)
			}
			if f.Value, body, err = DecodeValue(body); err != nil {
				return Value{}, nil, err
			}
			if v.kind == KindDocument {
				v.nested.fields = append(v.nested.fields, f)
			} else {
				v.nested.list = append(v.nested.list, f.Value)
			}
		}
	default:
		v.str = string(body)
	}
	return v, rest, nil
}

func cut(b []byte) (body, rest []byte, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, errEncoding
	}
	return b[size : size+int(n)], b[size+int(n):], nil
}

// Fingerprint is a hash of values: equal for equal values, and different for
// different ones but for a chance of 2^-128.
type Fingerprint [16]byte

// FingerprintOf hashes the encodings of vs, in order, with SHA-256 cut to 128 bits.
func FingerprintOf(vs []Value) (f Fingerprint) {
	var b []byte
	for _, v := range vs {
		b = v.AppendEncoding(b)
	}
	sum := sha256.Sum256(b)
	copy(f[:], sum[:])
	return f
}

func (f Fingerprint) String() string { return fmt.Sprintf("%x", f[:]) }

func appendUint32(b []byte, u uint32) []byte { return binary.BigEndian.AppendUint32(b, u) }
func readUint32(s string) uint32             { return binary.BigEndian.Uint32([]byte(s[:4])) }
