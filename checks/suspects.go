package checks

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"plumbline/sources"
)

// Suspect is a difference not yet confirmed: who it is, what the owner held
// when it was seen, and since when. What differs is judged when it is read again.
type Suspect struct {
	Key, ID sources.Key
	// Owner is the state in which the owner's record was last read.
	Owner sources.Fingerprint
	// FirstSeen is when the difference was first read; Since when the owner's
	// present state was: settle counts from there.
	FirstSeen, Since time.Time
	Restarts         int // how often the clock started anew
	// Duplicate: only whether the key is held more than once is in doubt.
	Duplicate bool
	// Random is the side of which the key was drawn at random, on one suspect a
	// key: what becomes of it counts towards the share of keys that differ.
	Random Role
	// Known: it was confirmed before, so whatever is read now is its last word.
	Known bool
}

// suspectLog keeps suspects in the order they came, in memory while they are
// few and then in a temporary file, so that a run over a dataset that differs
// everywhere needs no more memory than any other.
type suspectLog struct {
	keyParts, idParts int
	began             time.Time // times in the file count from here, on the monotonic clock

	mu     sync.Mutex
	count  int64
	memory []Suspect
	file   *os.File
	writer *bufio.Writer
}

const suspectsInMemory = 4096

func newSuspectLog(keyParts, idParts int) *suspectLog {
	return &suspectLog{keyParts: keyParts, idParts: idParts, began: time.Now()}
}

// add appends; it fails only where the temporary file does.
func (l *suspectLog) add(suspects []Suspect) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range suspects {
		l.count++
		if l.file == nil && len(l.memory) < suspectsInMemory {
			l.memory = append(l.memory, suspects[i])
			continue
		}
		if err := l.spill(&suspects[i]); err != nil {
			return fmt.Errorf("keep suspects in a temporary file: %w", err)
		}
	}
	return nil
}

func (l *suspectLog) spill(s *Suspect) error {
	if l.file == nil {
		file, err := os.CreateTemp("", "plumbline-suspects-*")
		if err != nil {
			return err
		}
		if err := os.Remove(file.Name()); err != nil { // gone with the process, whatever becomes of it
			file.Close()
			return err
		}
		l.file, l.writer = file, bufio.NewWriterSize(file, 64<<10)
	}
	b := []byte(s.Key.Encode())
	hasID := len(s.ID) > 0
	if hasID {
		b = append(b, s.ID.Encode()...)
	}
	var head [16 + 8 + 8 + 4]byte
	copy(head[:], s.Owner[:])
	binary.BigEndian.PutUint64(head[16:], uint64(s.FirstSeen.Sub(l.began)))
	binary.BigEndian.PutUint64(head[24:], uint64(s.Since.Sub(l.began)))
	head[32] = byte(s.Restarts)
	head[33], head[34], head[35] = flag(s.Duplicate), flag(hasID), randomByte(s.Random)
	if _, err := l.writer.Write(binary.AppendUvarint(nil, uint64(len(head)+len(b)))); err != nil {
		return err
	}
	if _, err := l.writer.Write(head[:]); err != nil {
		return err
	}
	_, err := l.writer.Write(b)
	return err
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func randomByte(r Role) byte {
	switch r {
	case OwnerSide:
		return 1
	case ReplicaSide:
		return 2
	}
	return 0
}

func randomRole(b byte) Role {
	switch b {
	case 1:
		return OwnerSide
	case 2:
		return ReplicaSide
	}
	return ""
}

// len is how many suspects were added.
func (l *suspectLog) len() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// drain hands all suspects on, in batches of at most n, in the order they were
// added. No suspect may be added meanwhile.
func (l *suspectLog) drain(n int, each func([]Suspect) error) error {
	for from := 0; from < len(l.memory); from += n {
		if err := each(l.memory[from:min(from+n, len(l.memory))]); err != nil {
			return err
		}
	}
	if l.file == nil {
		return nil
	}
	if err := l.writer.Flush(); err != nil {
		return fmt.Errorf("keep suspects in a temporary file: %w", err)
	}
	if _, err := l.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read suspects back: %w", err)
	}
	reader := bufio.NewReaderSize(l.file, 64<<10)
	left := l.count - int64(len(l.memory))
	for left > 0 {
		batch := make([]Suspect, min(int64(n), left))
		for i := range batch {
			if err := l.unspill(reader, &batch[i]); err != nil {
				return fmt.Errorf("read suspects back: %w", err)
			}
		}
		left -= int64(len(batch))
		if err := each(batch); err != nil {
			return err
		}
	}
	return nil
}

func (l *suspectLog) unspill(r *bufio.Reader, s *Suspect) error {
	size, err := binary.ReadUvarint(r)
	if err != nil {
		return err
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		return err
	}
	copy(s.Owner[:], b)
	s.FirstSeen = l.began.Add(time.Duration(binary.BigEndian.Uint64(b[16:])))
	s.Since = l.began.Add(time.Duration(binary.BigEndian.Uint64(b[24:])))
	s.Restarts, s.Duplicate = int(b[32]), b[33] == 1
	hasID := b[34] == 1
	s.Random = randomRole(b[35])
	if s.Key, b, err = sources.DecodeKey(b[36:], l.keyParts); err != nil {
		return err
	}
	if hasID {
		s.ID, _, err = sources.DecodeKey(b, l.idParts)
	}
	return err
}

// close gives the temporary file back.
func (l *suspectLog) close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
