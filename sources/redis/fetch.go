package redis

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"plumbline/sources"
)

const (
	// fetchKeys is how many keys one round trip asks for at most.
	fetchKeys = 500
	// maxHash is how many fields a hash may have. One with more is skipped: it is
	// no record, and reading it would hold up everybody else.
	maxHash = 10_000
)

// stored is what one key of Redis held. Neither there nor why means that there
// was nothing: the key is gone, or expired.
type stored struct {
	key   string
	there bool
	text  string            // of a json or a text
	hash  map[string]string // of a hash
	size  int
	// skipped and unreadable are why the value was not read, or could not be.
	skipped, unreadable string
}

// measured is how large a value is before it is read: of a hash about, as the
// server estimates it from some of its fields.
type measured struct {
	size   int  // in bytes
	fields int  // of a hash
	wrong  bool // it is of another type
}

// fieldSize is about how large a field of a hash is, where the server does not say.
const fieldSize = 64

// fetch reads the values of keys, as many from the first on as go into bytes, one
// at least. Which of them are there is said by the answer that holds the value.
func (s *source) fetch(ctx context.Context, p *dataset, keys []string, bytes int) ([]stored, error) {
	what := "read " + p.Title()
	keys = keys[:min(len(keys), fetchKeys)]
	sizes, err := ask(ctx, s, what, func(ctx context.Context) ([]measured, error) { return s.measure(ctx, p, keys) })
	if err != nil {
		return nil, err
	}
	all := make([]stored, 0, len(keys))
	total := 0
	for i, key := range keys {
		one := stored{key: key}
		size, fields := sizes[i].size, sizes[i].fields
		switch {
		case sizes[i].wrong:
			one.there, one.unreadable = true, fmt.Sprintf("the key in Redis holds another type of value than %s", p.format)
		case fields > maxHash:
			one.there, one.skipped = true, fmt.Sprintf("a hash of more than %d fields", maxHash)
		case p.format != sources.FormatHash && size > sources.MaxRecordSize:
			one.there, one.skipped = true, fmt.Sprintf("larger than %d bytes", sources.MaxRecordSize)
		default:
			one.size = size
		}
		if total += one.size; i > 0 && total > bytes {
			break
		}
		all = append(all, one)
	}
	return ask(ctx, s, what, func(ctx context.Context) ([]stored, error) { return all, s.values(ctx, p, all) })
}

// measure asks how large values are.
func (s *source) measure(ctx context.Context, p *dataset, keys []string) ([]measured, error) {
	pipe := s.client.Pipeline()
	answers, estimates := make([]*redis.IntCmd, len(keys)), make([]*redis.IntCmd, len(keys))
	for i, key := range keys {
		if p.format == sources.FormatHash {
			answers[i], estimates[i] = pipe.HLen(ctx, key), pipe.MemoryUsage(ctx, key)
		} else {
			answers[i] = pipe.StrLen(ctx, key)
		}
	}
	if err := broken(pipe.Exec(ctx)); err != nil {
		return nil, err
	}
	sizes := make([]measured, len(keys))
	for i, answer := range answers {
		size, err := answer.Result()
		switch {
		case redis.HasErrorPrefix(err, "WRONGTYPE"):
			sizes[i].wrong = true
		case err != nil:
			return nil, err
		case estimates[i] == nil:
			sizes[i].size = int(size)
		default: // that our user may not ask for estimates, or the key is gone, fails nothing
			sizes[i].fields, sizes[i].size = int(size), max(int(estimates[i].Val()), fieldSize*int(size))
		}
	}
	return sizes, nil
}

// values reads the values of those that are to be read. Each is read at one
// moment of its own.
func (s *source) values(ctx context.Context, p *dataset, all []stored) error {
	pipe := s.client.Pipeline()
	texts, hashes := make([]*redis.StringCmd, len(all)), make([]*redis.MapStringStringCmd, len(all))
	for i := range all {
		switch {
		case all[i].there: // and not to be read
		case p.format == sources.FormatHash:
			hashes[i] = pipe.HGetAll(ctx, all[i].key)
		default:
			texts[i] = pipe.Get(ctx, all[i].key)
		}
	}
	if pipe.Len() == 0 {
		return nil
	}
	if err := broken(pipe.Exec(ctx)); err != nil {
		return err
	}
	for i := range all {
		one := &all[i]
		var err error
		switch {
		case hashes[i] != nil:
			if one.hash, err = hashes[i].Result(); err == nil {
				one.there = len(one.hash) > 0 // Redis keeps no hash without fields
			}
			one.size = 0
			for name, value := range one.hash {
				one.size += len(name) + len(value)
			}
		case texts[i] != nil:
			if one.text, err = texts[i].Result(); err == nil {
				one.there, one.size = true, len(one.text)
			}
		default:
			continue
		}
		switch {
		case redis.HasErrorPrefix(err, "WRONGTYPE"): // it became another since it was measured
			one.there, one.unreadable = true, fmt.Sprintf("the key in Redis holds another type of value than %s", p.format)
		case err != nil && !errors.Is(err, redis.Nil):
			return err
		case one.there && one.size > sources.MaxRecordSize:
			one.skipped = fmt.Sprintf("larger than %d bytes", sources.MaxRecordSize)
			one.text, one.hash = "", nil
		}
	}
	return nil
}

// broken is the error of a pipeline that was not answered whole. What the server
// says of single commands is in their own answers.
func broken(_ []redis.Cmder, err error) error {
	var refused redis.Error
	if err == nil || errors.As(err, &refused) {
		return nil
	}
	return err
}
