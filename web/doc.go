// Package web shows what the ledger remembers: the pages, the API, health and
// metrics.
//
// A page is made in three steps. Its handler asks the ledger; a pure function
// turns what came back into a view, which holds every word and number as it will
// be shown; a template lays the view out. Whatever comes from a store reaches the
// page through html/template alone, and the browser is told to run nothing but
// our own script (headers.go).
//
// Pages read well without script. With it they fetch themselves anew when the
// ledger changes (assets/app.js).
package web
