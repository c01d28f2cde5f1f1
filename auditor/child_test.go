package auditor_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"plumbline/alerts"
	"plumbline/auditor"
	"plumbline/checks"
	"plumbline/ledger"
	"plumbline/sources"
	"plumbline/sources/memory"
)

// childEnv, where it is set, makes the test binary a process that audits, and
// holds what it is to do.
const childEnv = "PLUMBLINE_AUDITOR_CHILD"

// binaryEnv names the test binary that such processes are made of.
const binaryEnv = "PLUMBLINE_AUDITOR_BINARY"

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		os.Exit(childMain(text))
	}
	os.Exit(testMain(m))
}

// testMain makes a second test binary where this one looks for races: what is
// killed, frozen and measured is to be as fast as it will be. The races are
// looked for where the same happens in one process.
func testMain(m *testing.M) int {
	if raceDetector {
		dir, err := os.MkdirTemp("", "plumbline-auditor-*")
		if err == nil {
			defer os.RemoveAll(dir)
			binary := filepath.Join(dir, "auditor.test")
			var out []byte
			if out, err = exec.Command("go", "test", "-c", "-o", binary, ".").CombinedOutput(); err != nil {
				err = fmt.Errorf("%w: %s", err, out)
			}
			if err == nil {
				err = os.Setenv(binaryEnv, binary)
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "build the processes that are killed:", err)
			return 1
		}
	}
	return m.Run()
}

func childBinary() string {
	if binary := os.Getenv(binaryEnv); binary != "" {
		return binary
	}
	return os.Args[0]
}

// service is what a process audits: checks of one shop, made anew by each
// process from the same seed.
type service struct {
	Ledger  string
	Checks  int
	Records int
	Share   float64 // of records that differ
	Phase   uint64  // which of them do
	Spec    string  // "" for no schedule
	Hash    string
	Settle  time.Duration
	Page    int           // records a page
	Delay   time.Duration // about how long a read takes
	Silence time.Duration
	Workers int
	Bounds  auditor.Bounds
	Cut     int // into how many segments
	// Pages is a file that gains a byte for each page that is scanned; "" for none.
	Pages string
	// Mends is of a service that puts right what it finds, in real stores.
	Mends *mending
}

func (s *service) name(i int) string { return fmt.Sprintf("check-%03d", i) }

// seed is what check i looks like in a phase.
func (s *service) seed(i int) *rand.Rand { return rand.New(rand.NewPCG(s.Phase, uint64(i))) }

// open makes the stores and checks.
func (s *service) open() ([]auditor.Check, checks.Readers, error) {
	var schedule auditor.Schedule
	if s.Spec != "" {
		var err error
		if schedule, err = auditor.ParseSchedule(s.Spec); err != nil {
			return nil, nil, err
		}
	}
	var list []auditor.Check
	readers := map[string]*sources.Reader{}
	for i := range s.Checks {
		shop := newShop(sources.Limits{PageRecords: s.Page})
		shop.fill(s.seed(i), s.Records, s.Share)
		shop.befall(s.slow, s.slow)
		check := shop.check(s.name(i), s.Settle)
		check.Owner.Source, check.Edges[0].Replica.Source = s.name(i)+"-owner", s.name(i)+"-replica"
		for _, side := range []string{"owner", "replica"} {
			readers[s.name(i)+"-"+side] = shop.readers[side]
		}
		list = append(list, auditor.Check{Check: check, Spec: s.Spec, Schedule: schedule, Hash: "the check"})
	}
	return list, func(name string) (*sources.Reader, error) {
		if r := readers[name]; r != nil {
			return r, nil
		}
		return nil, fmt.Errorf("there is no source %s", name)
	}, nil
}

// slow lets a read take its time, and notes that a page is scanned.
func (s *service) slow(ctx context.Context, r memory.Read) *memory.Fault {
	if s.Pages != "" && r.Op == "scan" {
		if file, err := os.OpenFile(s.Pages, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600); err == nil {
			_, _ = file.Write([]byte{'.'})
			_ = file.Close()
		}
	}
	if s.Delay > 0 {
		timer := time.NewTimer(s.Delay/2 + rand.N(s.Delay))
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	return nil
}

func (s *service) options(l *ledger.Ledger) (auditor.Options, error) {
	if s.Mends != nil {
		return s.mendingOptions(l)
	}
	list, readers, err := s.open()
	return auditor.Options{Ledger: l, Checks: list, Readers: readers, Hash: s.Hash, Lens: lens(l), Silence: s.Silence, Workers: s.Workers, Bounds: s.Bounds, Segments: s.Cut}, err
}

// childMain audits until it is told to stop.
func childMain(text string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	failed := func(err error) int {
		log.Error("child", "error", err)
		return 1
	}
	var s service
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return failed(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	o := ledger.Options{Policies: everythingIsTold}
	if s.Mends != nil {
		o.Now = s.Mends.now
	}
	l, err := ledger.Open(ctx, s.Ledger, o)
	if err != nil {
		return failed(err)
	}
	of, err := s.options(l)
	if err != nil {
		return failed(err)
	}
	of.Log = log
	a, err := auditor.Start(ctx, of)
	if err != nil {
		return failed(err)
	}
	fmt.Println("ready", a.State().Process)
	if s.Mends != nil {
		if err := s.mend(ctx, l, a, log); err != nil {
			return failed(err)
		}
	}
	<-ctx.Done()
	if err := a.Stop(context.Background()); err != nil {
		return failed(err)
	}
	if err := l.Close(); err != nil {
		return failed(err)
	}
	return 0
}

// child is a process that audits.
type child struct {
	t     testing.TB
	cmd   *exec.Cmd
	id    string
	log   string // a file
	ended chan error
}

// launch starts a process and waits until it audits.
func (s *service) launch(t testing.TB) *child {
	t.Helper()
	text, err := json.Marshal(s)
	must(t, err)
	c := &child{t: t, cmd: exec.Command(childBinary()), log: filepath.Join(t.TempDir(), "log"), ended: make(chan error, 1)}
	c.cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	file, err := os.Create(c.log)
	must(t, err)
	c.cmd.Stderr = file
	out, err := c.cmd.StdoutPipe()
	must(t, err)
	must(t, c.cmd.Start())
	must(t, file.Close())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	id, ready := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	go func() { c.ended <- c.cmd.Wait() }()
	t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	if !ready {
		<-c.ended
		t.Fatalf("the process did not start:\n%s", c.said())
	}
	c.id = id
	return c
}

func (c *child) said() string {
	text, err := os.ReadFile(c.log)
	must(c.t, err)
	return string(text)
}

func (c *child) signal(s syscall.Signal) {
	c.t.Helper()
	must(c.t, c.cmd.Process.Signal(s))
}

// kill ends the process as a power cut would.
func (c *child) kill() {
	c.t.Helper()
	c.signal(syscall.SIGKILL)
	<-c.ended
}

// stop asks the process to end and returns how long that took; it must end well.
func (c *child) stop() time.Duration {
	c.t.Helper()
	began := time.Now()
	c.signal(syscall.SIGTERM)
	select {
	case err := <-c.ended:
		if err != nil {
			c.t.Errorf("the process ended with %v:\n%s", err, c.said())
		}
	case <-time.After(40 * time.Second):
		c.signal(syscall.SIGQUIT)
		<-c.ended
		c.t.Fatalf("after 40 s the process still runs:\n%s", c.said())
	}
	return time.Since(began)
}

// worked is how much processor time the process has had.
func (c *child) worked() time.Duration {
	c.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	must(c.t, err)
	_, rest, _ := strings.Cut(string(text), ") ")
	return ticks(c.t, strings.Fields(rest)[11:13])
}

// worked is how much processor time everybody on the machine has had.
func worked(t testing.TB) time.Duration {
	t.Helper()
	text, err := os.ReadFile("/proc/stat")
	must(t, err)
	fields := strings.Fields(string(text)) // cpu user nice system idle iowait irq softirq
	return ticks(t, append(fields[1:4:4], fields[6:8]...))
}

// ticks sums times of the kernel's, which are hundredths of a second.
func ticks(t testing.TB, fields []string) (sum time.Duration) {
	t.Helper()
	for _, field := range fields {
		n, err := strconv.ParseInt(field, 10, 64)
		must(t, err)
		sum += time.Duration(n) * 10 * time.Millisecond
	}
	return sum
}

// peak is the most memory the process ever had, in bytes.
func (c *child) peak() int64 {
	c.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	must(c.t, err)
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmHWM:" {
			kb, err := strconv.ParseInt(fields[1], 10, 64)
			must(c.t, err)
			return kb << 10
		}
	}
	c.t.Fatal("the system does not say how much memory a process had")
	return 0
}

// everythingIsTold has each transaction draw incidents and what is due of them, as
// in a service.
func everythingIsTold(check string) (alerts.Policy, bool) {
	return alerts.Policy{Check: check, Severity: "medium", Targets: []alerts.Target{{Integration: alerts.BySlack, Address: "#data"}}}, true
}
