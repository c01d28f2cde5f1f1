package demo

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"
)

// loyalty is the one service that lets nobody at its store: members are read by
// its API, on a port of this machine. While its store is locked it answers 503,
// and now and then 429, as services do.
type loyalty struct {
	db       *sql.DB
	listener net.Listener
	server   *http.Server
	ended    chan error
	requests atomic.Int64
}

const (
	// busyEvery is how many requests lie between two that are told to come back later.
	busyEvery = 199
	// mostMembers is the most that one page of the list has.
	mostMembers = 200
	// storeWait is how long a request waits for the store.
	storeWait = time.Second / 4
)

// openLoyalty serves the members that are in loyalty's file in dir.
func openLoyalty(dir string) (*loyalty, error) {
	settings := url.Values{"mode": {"ro"}, "_pragma": {fmt.Sprintf("busy_timeout(%d)", storeWait.Milliseconds())}}
	name := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.Join(dir, "loyalty.db")}).EscapedPath(), RawQuery: settings.Encode()}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, fmt.Errorf("open the store of loyalty: %w", err)
	}
	db.SetMaxOpenConns(4)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("serve loyalty: %w", err), db.Close())
	}
	l := &loyalty{db: db, listener: listener, ended: make(chan error, 1)}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /{$}", l.about)
	routes.HandleFunc("GET /members", l.list)
	routes.HandleFunc("GET /members/{id}", l.get)
	l.server = &http.Server{Handler: routes, ReadHeaderTimeout: time.Minute}
	go func() { l.ended <- l.server.Serve(listener) }()
	return l, nil
}

// address is where the service answers.
func (l *loyalty) address() string { return "http://" + l.listener.Addr().String() }

func (l *loyalty) close() error {
	err := l.server.Close()
	if served := <-l.ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serve loyalty: %w", served))
	}
	return errors.Join(err, l.db.Close())
}

// listedMember is a member as the API writes it.
type listedMember struct {
	CustomerID int64  `json:"customerId"`
	Name       string `json:"name"`
	Email      string `json:"email"`
}

// busy tells one request in so many to come back later.
func (l *loyalty) busy(w http.ResponseWriter) bool {
	if l.requests.Add(1)%busyEvery != 0 {
		return false
	}
	w.Header().Set("Retry-After", "1")
	answer(w, http.StatusTooManyRequests, map[string]string{"error": "too many requests"})
	return true
}

func (l *loyalty) about(w http.ResponseWriter, r *http.Request) {
	members, err := l.read(r.Context(), "SELECT customer_id, name, email FROM members LIMIT 1")
	if err != nil {
		unavailable(w)
		return
	}
	answer(w, http.StatusOK, map[string]any{"service": "loyalty", "members": len(members) > 0})
}

// list gives the members behind a customer's id, in the order of ids.
func (l *loyalty) list(w http.ResponseWriter, r *http.Request) {
	if l.busy(w) {
		return
	}
	size, after := mostMembers, int64(0)
	for name, into := range map[string]func(int64){"page_size": func(n int64) { size = int(min(max(1, n), mostMembers)) }, "next": func(n int64) { after = n }} {
		text := r.URL.Query().Get(name)
		n, err := strconv.ParseInt(text, 10, 64)
		if text != "" && err != nil {
			answer(w, http.StatusBadRequest, map[string]string{"error": name + " is no number"})
			return
		}
		if text != "" {
			into(n)
		}
	}
	members, err := l.read(r.Context(), "SELECT customer_id, name, email FROM members WHERE customer_id > ? ORDER BY customer_id LIMIT ?", after, size+1)
	if err != nil {
		unavailable(w)
		return
	}
	page := map[string]any{"next": nil}
	if len(members) > size {
		members = members[:size]
		page["next"] = strconv.FormatInt(members[size-1].CustomerID, 10)
	}
	answer(w, http.StatusOK, map[string]any{"data": members, "page": page})
}

func (l *loyalty) get(w http.ResponseWriter, r *http.Request) {
	if l.busy(w) {
		return
	}
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		answer(w, http.StatusNotFound, map[string]string{"error": "no such member"})
		return
	}
	members, err := l.read(r.Context(), "SELECT customer_id, name, email FROM members WHERE customer_id = ?", id)
	switch {
	case err != nil:
		unavailable(w)
	case len(members) == 0:
		answer(w, http.StatusNotFound, map[string]string{"error": "no such member"})
	default:
		answer(w, http.StatusOK, members[0])
	}
}

func (l *loyalty) read(ctx context.Context, statement string, args ...any) (members []listedMember, err error) {
	rows, err := l.db.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	members = []listedMember{}
	for rows.Next() {
		var m listedMember
		if err := rows.Scan(&m.CustomerID, &m.Name, &m.Email); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, rows.Err()
}

func unavailable(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	answer(w, http.StatusServiceUnavailable, map[string]string{"error": "down for maintenance"})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		return // whoever asked is gone
	}
}
