package web_test

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser starts a Chromium of our own, with a profile of its own, that ends
// with the test. Where none is named there is nothing to test with.
func browser(t *testing.T) context.Context {
	t.Helper()
	program := os.Getenv("PLUMBLINE_TEST_CHROMIUM")
	if program == "" {
		t.Fatal("PLUMBLINE_TEST_CHROMIUM is not set: run `make test`, which finds or installs Chromium")
	}
	allocator, stop := chromedp.NewExecAllocator(t.Context(),
		chromedp.ExecPath(program), chromedp.Headless, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.DisableGPU, chromedp.NoSandbox,
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("force-color-profile", "srgb"))
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	if err := chromedp.Do(ctx); err != nil { // else the first step's deadline would be the browser's
		t.Fatalf("start %s: %v", program, err)
	}
	return ctx
}

// tab is a page in the browser that notes whatever must not happen.
type tab struct {
	t    *testing.T
	ctx  context.Context
	home string // everything that is loaded comes from here

	mu    sync.Mutex
	wrong []string
	bytes map[string]int64 // by address, of the page's last load
	urls  map[network.RequestID]string
}

// open opens a tab on the server at home.
func open(t *testing.T, browser context.Context, home string, options ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(browser, options...)
	t.Cleanup(end)
	b := &tab{t: t, ctx: ctx, home: home, bytes: map[string]int64{}, urls: map[network.RequestID]string{}}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	return b
}

// hear notes errors, dialogs and requests to anybody but us.
func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	note := func(format string, args ...any) { b.wrong = append(b.wrong, fmt.Sprintf(format, args...)) }
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			text := ""
			for _, arg := range e.Args {
				text += " " + arg.Description + string(arg.Value)
			}
			note("console %s:%s", e.Type, text)
		}
	case *runtime.EventExceptionThrown:
		note("exception: %s", e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			note("log: %s %s", e.Entry.Text, e.Entry.URL)
		}
	case *page.EventJavascriptDialogOpening:
		note("dialog: %s", e.Message)
	case *network.EventRequestWillBeSent:
		b.urls[e.RequestID] = e.Request.URL
		if !strings.HasPrefix(e.Request.URL, b.home+"/") && !strings.HasPrefix(e.Request.URL, "about:") && !strings.HasPrefix(e.Request.URL, "data:") {
			note("request to %s", e.Request.URL)
		}
	case *network.EventLoadingFinished:
		if u, err := url.Parse(b.urls[e.RequestID]); err == nil {
			b.bytes[u.Path] = int64(e.EncodedDataLength)
		}
	}
}

// clean fails the test with what went wrong since the last call.
func (b *tab) clean(where string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.wrong {
		b.t.Errorf("%s: %s", where, w)
	}
	b.wrong = nil
}

func (b *tab) noticed() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.wrong)
}

// forget forgets what went wrong, where that was to be.
func (b *tab) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = nil
}

func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// visit loads a page and returns the answer's status.
func (b *tab) visit(path string) int64 {
	b.t.Helper()
	b.mu.Lock()
	clear(b.bytes)
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	answer, err := chromedp.Run(ctx, chromedp.NavigateResponse(b.home+path))
	if err != nil {
		b.t.Fatalf("visit %s: %v", path, err)
	}
	return int64(answer.Status)
}

// click clicks what selects, and waits for the page it leads to.
func (b *tab) click(selector string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	answer, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
	if err != nil {
		b.t.Fatalf("click %s on %s: %v", selector, b.path(), err)
	}
	if answer != nil && answer.Status >= 400 {
		b.t.Fatalf("click %s: %v at %s", selector, answer.Status, b.path())
	}
}

// text is what a person reads in the first element that selector selects.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return ask[string](b, fmt.Sprintf("(document.querySelector(%q)||{innerText:''}).innerText", selector))
}

func (b *tab) path() string { return ask[string](b, "location.pathname+location.search") }

// ask evaluates a script in the page, as a person with developer tools would.
func ask[T any](b *tab, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		b.t.Fatalf("evaluate %s: %v", script, err)
	}
	return v
}

// await asks until the script says true.
func (b *tab) await(what, script string) {
	b.t.Helper()
	deadline := time.Now().Add(40 * time.Second)
	script = "(() => { try { return Boolean(" + script + ") } catch { return false } })()" // one page may just be making room for the next
	for !ask[bool](b, script) {
		if time.Now().After(deadline) {
			b.t.Fatalf("%s did not come true on %s, which is %s, went wrong with %q and says:\n%s", what, b.path(), b.text("#live-status"), b.noticed(), b.text("main"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// look sets how wide the page is and which colours it prefers.
func (b *tab) look(width int64, dark bool) {
	b.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	if _, err := chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride,
		emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 900, DeviceScaleFactor: 1, Mobile: width < 600}); err != nil {
		b.t.Fatal(err)
	}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}); err != nil {
		b.t.Fatal(err)
	}
}

// picture is the page as a PNG, from its top to so many pixels down.
func (b *tab) picture(most float64) []byte {
	b.t.Helper()
	width, height := ask[float64](b, "document.documentElement.clientWidth"), ask[float64](b, "document.documentElement.scrollHeight")
	beyond := true
	answer, err := chromedp.Call(b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatPng, CaptureBeyondViewport: &beyond,
		Clip: &page.Viewport{Width: width, Height: min(height, most), Scale: 1}})
	if err != nil {
		b.t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(answer.Data))
	if err != nil {
		b.t.Fatal(err)
	}
	var small bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&small, picture); err != nil {
		b.t.Fatal(err)
	}
	return small.Bytes()
}
