//go:build unix

package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"plumbline/sources"
	"plumbline/sources/sqlite"
)

// child names the file that a process of this test writes to; see TestWriterProcess.
const child = "PLUMBLINE_TEST_SQLITE_WRITER"

// frozenFor is how long a write of the process may take.
const frozenFor = 150 * time.Millisecond

// TestWriterProcess is no test of its own: it is the process that the others
// freeze. For each line that it reads it writes the record once.
func TestWriterProcess(t *testing.T) {
	file := os.Getenv(child)
	if file == "" {
		return
	}
	w := open(t, sources.Options{Name: "store", URL: sources.Secret(file), Writable: true}).(sources.Writer)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		before := look(t, w, frozenDataset(), frozenKey(), false)
		after := become(t, w, frozenDataset(), before, sources.Assignment{Field: "v", Value: sources.Text(lines.Text())})
		fmt.Println("\nwriting")
		err := w.Write(context.Background(), frozenDataset(), &sources.Change{Key: frozenKey(), Before: before, After: after}, before.ReadAt.Add(frozenFor))
		var not *sources.NotWritten
		switch {
		case err == nil:
			fmt.Println("\nwritten")
		case errors.As(err, &not):
			fmt.Println("\nnot written")
		default:
			fmt.Println("\nunknown")
		}
	}
}

func frozenDataset() *sources.Dataset {
	return &sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"v"}}
}

func frozenKey() sources.Key { return sources.Key{sources.Int(1)} }

// process is a writer in a process of its own.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	said  chan string
}

func startWriter(t *testing.T, file string) *process {
	t.Helper()
	p := &process{t: t, said: make(chan string, 100)}
	p.cmd = exec.Command(os.Args[0], "-test.run=^TestWriterProcess$")
	p.cmd.Env = append(os.Environ(), child+"="+file)
	p.cmd.Stderr = os.Stderr
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.said)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			switch text := lines.Text(); text {
			case "writing", "written", "not written", "unknown":
				p.said <- text
			}
		}
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGCONT)
		if err := errors.Join(p.stdin.Close(), p.cmd.Wait()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *process) signal(s syscall.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Error(err)
	}
}

func (p *process) hear() string {
	p.t.Helper()
	select {
	case said, ok := <-p.said:
		if !ok {
			p.t.Fatal("the writer is gone")
		}
		return said
	case <-time.After(time.Minute):
		p.t.Fatal("the writer says nothing")
	}
	return ""
}

// TestWritersFrozenInMidWriteDoNothingLater stops a writer at some moment, lets
// his time pass, changes the record where a settled look says that the writer is
// out of it, and lets him go on.
func TestWritersFrozenInMidWriteDoNothingLater(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"wal", "delete"} {
		t.Run("journal mode "+mode, func(t *testing.T) {
			t.Parallel()
			frozenWriters(t, mode, 15)
		})
	}
}

func TestSoakWritersFrozenInMidWriteDoNothingLater(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return
	}
	for _, mode := range []string{"wal", "delete"} {
		t.Run("journal mode "+mode, func(t *testing.T) {
			t.Parallel()
			frozenWriters(t, mode, 500)
		})
	}
}

func frozenWriters(t *testing.T, mode string, rounds int) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := newStore(t, "PRAGMA journal_mode="+mode, "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)", "INSERT INTO t VALUES (1, 'at first')")
	run(t, s.db, "PRAGMA busy_timeout = 200")
	p := startWriter(t, fileURL(s.file).Reveal())
	settled, err := sqlite.Open(sources.Options{Name: "settled", URL: fileURL(s.file), Writable: true, StatementTimeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := settled.Close(); err != nil {
			t.Error(err)
		}
	}()
	now := func() (string, error) {
		image, err := settled.(sources.Writer).Look(t.Context(), frozenDataset(), frozenKey(), nil, sources.Looking{Settled: true})
		if err != nil {
			return "", err
		}
		return image.Record.Fields[0].AsText(), nil
	}
	heard := map[string]int{}
	for round := range rounds {
		was, wanted := fmt.Sprint("other hands ", round-1), fmt.Sprint("round ", round)
		run(t, s.db, "UPDATE t SET v = ?", was)
		if _, err := io.WriteString(p.stdin, wanted+"\n"); err != nil {
			t.Fatal(err)
		}
		if said := p.hear(); said != "writing" {
			t.Fatal(said)
		}
		<-time.After(time.Duration(random.IntN(4000)) * time.Microsecond) // the moment is what is tried
		p.signal(syscall.SIGSTOP)
		<-time.After(frozenFor + 20*time.Millisecond) // and so is that his time is over
		is, err := now()
		final := is
		switch {
		case err != nil: // he holds the lock: nothing is settled, and nobody else writes
			heard["held the lock"]++
		case is != was && is != wanted:
			t.Fatalf("round %d: the record holds %q", round, is)
		default:
			// Without a WAL, one who is stopped as he begins to read keeps all others
			// from writing, and has not looked at the record yet.
			if _, err := s.db.Exec("UPDATE t SET v = ?", "changed after "+is); err == nil {
				final = "changed after " + is
			} else {
				heard["kept others from writing"]++
			}
		}
		p.signal(syscall.SIGCONT)
		said := p.hear()
		heard[said]++
		after, lookErr := now()
		for deadline := time.Now().Add(time.Minute); lookErr != nil && time.Now().Before(deadline); { // a slow disk
			after, lookErr = now()
		}
		switch {
		case lookErr != nil:
			t.Fatalf("round %d: %v", round, lookErr)
		case err == nil && after != final:
			t.Fatalf("round %d: a writer whose time was over overwrote %q with %q", round, final, after)
		case err == nil && said == "written" && is != wanted, err != nil && said == "written" && after != wanted:
			t.Fatalf("round %d: said to be written, and is not", round)
		case said == "not written" && (err == nil && is != was || err != nil && after != was):
			t.Fatalf("round %d: said not to be written, and is", round)
		}
	}
	t.Logf("%d writers were frozen: %v", rounds, heard)
}
