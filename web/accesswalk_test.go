package web_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"plumbline/ledger"
)

// fill types into the field that a selector selects.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	b.do("fill "+selector, chromedp.SendKeys(chromedp.CSS(selector), text))
}

// photograph looks at a page in both colours, wide and narrow, and keeps its
// pictures for the documentation where they are asked for.
func (b *tab) photograph(name, path string) {
	b.t.Helper()
	for _, width := range []int64{1440, 390} {
		for _, colours := range []string{"light", "dark"} {
			b.look(width, colours == "dark")
			b.visit(path)
			b.clean(name)
			if wide := ask[float64](b, "document.documentElement.scrollWidth"); wide > float64(width) {
				b.t.Errorf("%s is %v wide on a screen of %d", name, wide, width)
			}
			if os.Getenv("PLUMBLINE_UPDATE_SCREENSHOTS") == "" {
				continue
			}
			file := filepath.Join("..", "docs", "images", name+"-"+colours+map[int64]string{390: "-narrow"}[width]+".png")
			if err := os.WriteFile(file, b.picture(map[int64]float64{1440: 1200, 390: 1500}[width]), 0o644); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	b.look(1440, false)
}

// A person makes the first account, lets others in, makes a token, signs out and
// in again, and reads in the audit log what was done.
func TestPersonSetsUpAndSignsIn(t *testing.T) {
	t.Parallel()
	chromium := browser(t)
	h := shop(t)
	server := h.serve(nil)
	code, err := h.ledger.MakeCode(t.Context(), ledger.SetUpCode, "", time.Hour)
	h.must(err)
	const word, theirs = "correct horse battery", "a word of their own"
	b := open(t, chromium, server.URL)
	b.look(1440, false)
	at := func(want string) {
		t.Helper()
		b.clean(want)
		if got := b.path(); !strings.HasPrefix(got, want) {
			t.Fatalf("at %s, want %s, which says:\n%s", got, want, b.text("main"))
		}
	}
	b.visit("/setup?code=" + code)
	b.fill("input[name=name]", "ada")
	b.fill("input[name=password]", word)
	b.fill("input[name=again]", word)
	b.click("main form button")
	at("/access?said=set-up")
	for i, name := range []string{"otto", "vera", "anton"} {
		b.fill("form[action='/access/accounts'] input[name=name]", name)
		ask[string](b, fmt.Sprintf("document.querySelector(\"form[action='/access/accounts'] select\").selectedIndex = %d, ''", []int{1, 0, 2}[i]))
		b.fill("form[action='/access/accounts'] input[name=password]", theirs)
		h.clock.pass(40 * time.Second)
		b.click("form[action='/access/accounts'] button")
		at("/access?said=account-added")
	}
	h.clock.pass(2 * time.Minute)
	b.visit("/account")
	b.fill("form[action='/account/tokens'] input[name=name]", "nightly report")
	b.do("tick a scope", chromedp.Click(chromedp.CSS("input[name=scope][value=view]")))
	b.click("form[action='/account/tokens'] button")
	at("/account/tokens")
	if token := b.text("#token"); !strings.HasPrefix(token, "plb_") {
		t.Fatalf("the token is %q", token)
	}
	h.must(h.ledger.LinkSlack(t.Context(), "T02SHOP", "U07ADA", "ada"))

	h.clock.pass(9 * time.Minute)
	b.click("form[action='/logout'] button")
	at("/login")
	h.clock.pass(5 * time.Minute)
	b.visit("/audit")
	at("/login?next=%2Faudit")
	b.fill("input[name=name]", "ada")
	b.fill("input[name=password]", "a wrong word indeed")
	b.do("sign in", chromedp.Click(chromedp.CSS("main form button")))
	b.await("it says no", "document.querySelector('main').innerText.includes('is wrong')")
	b.forget() // what the browser says of a 401
	h.clock.pass(6 * time.Second)
	b.fill("input[name=name]", "ada")
	b.fill("input[name=password]", word)
	b.click("main form button")
	at("/audit")
	_, _, err = h.ledger.SealAudit(t.Context())
	h.must(err)
	b.click("a[href*='verify=1']")
	b.await("the chain is verified", "document.querySelector('main').innerText.includes('The chain is whole: verified to #')")
	b.await("what was done", "['set up', 'create token', 'sign out', 'denied'].every(w => document.querySelector('main').innerText.includes(w))")

	b.photograph("access", "/access")
	b.photograph("audit", "/audit")
	b.photograph("account", "/account")

	// Who may only view is offered nothing else, and shown no value.
	b.click("form[action='/logout'] button")
	b.photograph("login", "/login")
	b.fill("input[name=name]", "vera")
	b.fill("input[name=password]", theirs)
	b.click("main form button")
	at("/")
	b.visit("/findings?check=orders-in-search")
	b.await("no values", "!document.querySelector('main').innerText.includes('9182736') && document.querySelector('main').innerText.includes('***')")
	b.click("tbody tr a[href^='/findings/F-']")
	b.await("no buttons", "document.querySelectorAll('main form[method=post]').length === 0 && document.querySelector('main').innerText.includes('***')")
	b.clean("what a viewer sees")
}
