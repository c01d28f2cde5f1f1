package ledger

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"plumbline/sources"
)

// keyring encrypts the keys, ids and positions of records as they are kept
// (AES-256-GCM with a random nonce), since a mask may cover them and records are
// read again by them. Whoever reads the database without the ring's key sees none.
type keyring struct{ aead cipher.AEAD }

func newKeyring(key []byte) (*keyring, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("use the data key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("use the data key: %w", err)
	}
	return &keyring{aead}, nil
}

// sealedMark begins what is encrypted. Encodings begin with the tag of a kind,
// and positions with 1: what a ledger kept before it encrypted is still read.
const sealedMark = 0xfe

func (k *keyring) seal(clear []byte) []byte {
	return k.aead.Seal([]byte{sealedMark}, nil, clear, nil)
}

func (k *keyring) open(kept []byte) ([]byte, error) {
	if len(kept) == 0 || kept[0] != sealedMark {
		return kept, nil
	}
	clear, err := k.aead.Open(nil, nil, kept[1:], nil)
	if err != nil {
		return nil, fmt.Errorf("decrypt a key: %w", err)
	}
	return clear, nil
}

// encodeKey keeps a key or an id.
func (k *keyring) encodeKey(values []sources.Value) []byte { return k.seal(encodeKey(values)) }

func (k *keyring) decodeKey(kept []byte) ([]sources.Value, error) {
	clear, err := k.open(kept)
	if err != nil {
		return nil, err
	}
	return decodeKey(clear)
}

// encodePosition keeps a position; nil, which is open, is NULL.
func (k *keyring) encodePosition(p sources.Position) any {
	if p == nil {
		return nil
	}
	return k.seal(append([]byte{1}, encodeKey(p)...))
}

func (k *keyring) decodePosition(kept []byte) (sources.Position, error) {
	clear, err := k.open(kept)
	if err != nil {
		return nil, err
	}
	return decodePosition(clear)
}

// WrongKeyError is a ledger whose keys are wrapped with another key than was given.
type WrongKeyError struct{ Given bool }

func (e *WrongKeyError) Error() string {
	if e.Given {
		return "its keys are wrapped with another access.data_key: give that one"
	}
	return "its keys are wrapped with an access.data_key, and none is configured: give it"
}

// wrapMark begins a setting that is wrapped with a configured key.
const wrapMark = "wrapped:"

// wrapped is a secret of the ledger as it is kept in its settings: in clear, or
// wrapped where a key is configured.
func wrapped(secret, with []byte) (string, error) {
	if len(with) == 0 {
		return base64.StdEncoding.EncodeToString(secret), nil
	}
	ring, err := newKeyring(wrappingKey(with))
	if err != nil {
		return "", err
	}
	return wrapMark + base64.StdEncoding.EncodeToString(ring.seal(secret)), nil
}

// unwrapped reads what wrapped wrote; again says that it is to be written anew,
// since a key is configured and it is in clear. *WrongKeyError.
func unwrapped(kept string, with []byte) (secret []byte, again bool, err error) {
	text, isWrapped := strings.CutPrefix(kept, wrapMark)
	b, err := base64.StdEncoding.DecodeString(text)
	switch {
	case err != nil:
		return nil, false, fmt.Errorf("read a key of the ledger: %w", err)
	case !isWrapped:
		return b, len(with) > 0, nil
	case len(with) == 0:
		return nil, false, &WrongKeyError{}
	}
	ring, err := newKeyring(wrappingKey(with))
	if err != nil {
		return nil, false, err
	}
	if secret, err = ring.open(b); err != nil {
		return nil, false, &WrongKeyError{Given: true}
	}
	return secret, false, nil
}

// wrappingKey is a configured key, which may be any text, as a key of the cipher.
func wrappingKey(configured []byte) []byte {
	mac := hmac.New(sha256.New, configured)
	mac.Write([]byte("plumbline wrapping key"))
	return mac.Sum(nil)
}
