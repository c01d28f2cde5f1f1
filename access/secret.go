package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// TokenPrefix begins every API token, so that one that leaked is recognised.
const TokenPrefix = "plb_"

// NewSecret draws 160 random bits as 32 letters and digits.
func NewSecret() string {
	b := make([]byte, 20)
	_, _ = rand.Read(b) // never fails, as package crypto/rand promises
	return strings.ToLower(base32.StdEncoding.EncodeToString(b))
}

// NewToken draws an API token.
func NewToken() string { return TokenPrefix + NewSecret() }

// Fingerprint is how a drawn secret is kept: its SHA-256, from which nobody gets
// 160 random bits back. It is no hash for passwords.
func Fingerprint(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
