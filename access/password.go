package access

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// The cost of a password: argon2id with 19 MiB, two passes and one lane, the
// least that OWASP's Password Storage Cheat Sheet asks for.
const (
	passwordMemory = 19 * 1024 // KiB
	passwordPasses = 2
	passwordLanes  = 1
	passwordBytes  = 32
	saltBytes      = 16
)

const (
	// ShortestPassword and LongestPassword bound a password in characters and bytes.
	ShortestPassword = 12
	LongestPassword  = 256
)

// CheckPassword says what is wrong with a password that somebody chose.
func CheckPassword(name, password string) error {
	switch {
	case utf8.RuneCountInString(password) < ShortestPassword:
		return fmt.Errorf("a password has at least %d characters", ShortestPassword)
	case len(password) > LongestPassword:
		return fmt.Errorf("a password has at most %d bytes", LongestPassword)
	case utf8.RuneCountInString(name) >= shortestHeld && strings.Contains(FoldName(password), FoldName(name)):
		return errors.New("a password does not hold the name of its account")
	case strings.Trim(password, firstOf(password)) == "":
		return errors.New("a password is more than one character repeated")
	}
	return nil
}

// shortestHeld is how long a name is that a password must not hold: a shorter one
// is in many words.
const shortestHeld = 3

// firstOf is the first character of a text that has one.
func firstOf(text string) string {
	_, size := utf8.DecodeRuneInString(text)
	return text[:size]
}

// HashPassword hashes a password with a new salt, in the PHC string format.
func HashPassword(password string) string {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails, as package crypto/rand promises
	return encodePassword(salt, derive(password, salt))
}

// MatchPassword says whether a password is the one that was hashed. It takes as
// long for a wrong one as for the right one, and for NobodysHash.
func MatchPassword(hash, password string) bool {
	salt, want, err := decodePassword(hash)
	if err != nil {
		return false
	}
	return subtle.ConstantTimeCompare(derive(password, salt), want) == 1
}

// NobodysHash is the hash of a password that nobody has: matching against it for
// a name that is not there takes as long as for one that is.
func NobodysHash() string {
	return encodePassword(make([]byte, saltBytes), make([]byte, passwordBytes))
}

// derive takes a password in the form in which every keyboard writes it alike.
func derive(password string, salt []byte) []byte {
	return argon2.IDKey(norm.NFC.Bytes([]byte(password)), salt, passwordPasses, passwordMemory, passwordLanes, passwordBytes)
}

func encodePassword(salt, sum []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, passwordMemory, passwordPasses, passwordLanes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(sum))
}

func decodePassword(hash string) (salt, sum []byte, err error) {
	parts := strings.Split(hash, "$")
	cost := fmt.Sprintf("m=%d,t=%d,p=%d", passwordMemory, passwordPasses, passwordLanes)
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) || parts[3] != cost {
		return nil, nil, errors.New("read a password's hash: it is of another kind or cost")
	}
	salt, errSalt := base64.RawStdEncoding.DecodeString(parts[4])
	sum, errSum := base64.RawStdEncoding.DecodeString(parts[5])
	return salt, sum, errors.Join(errSalt, errSum)
}
