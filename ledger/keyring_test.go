package ledger

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"plumbline/sources"
)

func TestKeysAreKeptEncrypted(t *testing.T) {
	t.Parallel()
	ring, err := newKeyring(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	key := []sources.Value{sources.Text("someone@example.com"), sources.Int(42)}
	kept := ring.encodeKey(key)
	if bytes.Contains(kept, []byte("someone")) || bytes.Equal(kept, ring.encodeKey(key)) {
		t.Errorf("kept as %x: in clear, or the same each time", kept)
	}
	for name, form := range map[string][]byte{"encrypted": kept, "as ledgers kept it before": encodeKey(key)} {
		back, err := ring.decodeKey(form)
		if err != nil || len(back) != 2 || back[0].String() != "someone@example.com" {
			t.Errorf("%s: read back as %v, %v", name, back, err)
		}
	}
	if _, err := ring.decodeKey(append(bytes.Clone(kept[:len(kept)-1]), kept[len(kept)-1]^1)); err == nil {
		t.Error("a changed key was read")
	}
	position, err := ring.decodePosition(ring.encodePosition(sources.Position{}).([]byte))
	if err != nil || position == nil {
		t.Errorf("the empty position was read back as %v, %v", position, err)
	}
	if ring.encodePosition(nil) != nil {
		t.Error("an open position is not NULL")
	}
}

func TestTheLedgersKeysAreWrapped(t *testing.T) {
	t.Parallel()
	url := "sqlite://" + filepath.Join(t.TempDir(), "ledger.db")
	open := func(key string) (*Ledger, error) {
		var o Options
		if key != "" {
			o.DataKey = []byte(key)
		}
		return Open(t.Context(), url, o)
	}
	var maskKey []byte
	for i, key := range []string{"", "", "correct horse", "correct horse"} {
		l, err := open(key)
		if err != nil {
			t.Fatalf("opening %d: %v", i, err)
		}
		if maskKey != nil && !bytes.Equal(maskKey, l.MaskKey()) {
			t.Errorf("opening %d: the mask key changed", i)
		}
		maskKey = l.MaskKey()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"", "battery staple"} {
		_, err := open(key)
		var wrong *WrongKeyError
		if !errors.As(err, &wrong) || wrong.Given != (key != "") {
			t.Errorf("opened with the key %q: %v", key, err)
		}
	}
	file, err := os.ReadFile(url[len("sqlite://"):])
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(file, maskKey) {
		t.Error("the mask key lies in the file in clear")
	}
}
