package main

import (
	"context"
	"os"
	"sync"
)

// interrupts turns signals into an orderly end: the first ends a graceful
// command after the pages that are being read, the second at once. A command
// that is not graceful ends at the first.
type interrupts struct {
	stop   chan struct{} // closed at the first signal
	cancel context.CancelFunc
	note   func(string)
	letGo  func()

	mu       sync.Mutex
	graceful bool
	count    int
}

func newInterrupts(cancel context.CancelFunc, note func(string), letGo func()) *interrupts {
	return &interrupts{stop: make(chan struct{}), cancel: cancel, note: note, letGo: letGo}
}

// watch acts on signals until ctx ends.
func (i *interrupts) watch(ctx context.Context, signals <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
			i.meet()
		}
	}
}

func (i *interrupts) meet() {
	i.mu.Lock()
	i.count++
	first, graceful, note := i.count == 1, i.graceful, i.note
	i.mu.Unlock()
	if first {
		close(i.stop)
	}
	if first && graceful {
		note("finishing the page; press Ctrl-C again to stop now")
		return
	}
	if i.letGo != nil {
		i.letGo()
	}
	i.cancel()
}

// finishPages makes the command graceful from now on.
func (i *interrupts) finishPages() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.graceful = true
}

// tellWith says how the first signal is answered, instead of on the terminal.
func (i *interrupts) tellWith(note func(string)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.note = note
}

// came says whether a signal came.
func (i *interrupts) came() bool {
	select {
	case <-i.stop:
		return true
	default:
		return false
	}
}
