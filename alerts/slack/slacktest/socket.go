package slacktest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// socket is one that the app opened.
type socket struct {
	conn    *websocket.Conn
	writing sync.Mutex
	gone    chan struct{}

	mu      sync.Mutex
	waiting map[string][]chan json.RawMessage // by envelope
}

// openSocket gives a ticket for one socket.
func (s *Server) openSocket() answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	ticket := rand.Text()
	s.tickets[ticket] = true
	return answer{fields: map[string]any{"url": "ws" + strings.TrimPrefix(s.URL, "http") + "/socket?ticket=" + ticket}}
}

func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	ticket := r.URL.Query().Get("ticket")
	s.mu.Lock()
	known := s.tickets[ticket] && !s.closing
	delete(s.tickets, ticket)
	s.mu.Unlock()
	if !known {
		http.Error(w, "no such ticket", http.StatusForbidden)
		return
	}
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	k := &socket{conn: conn, gone: make(chan struct{}), waiting: map[string][]chan json.RawMessage{}}
	hello := object{
		"type": "hello", "num_connections": 1, "connection_info": object{"app_id": App},
		"debug_info": object{"host": "slacktest", "build_number": 1, "approximate_connection_time": 18060},
	}
	if k.write(hello) != nil {
		k.end()
		return
	}
	s.mu.Lock()
	closing := s.closing
	if !closing {
		s.sockets = append(s.sockets, k)
		s.change()
	}
	s.mu.Unlock()
	if closing {
		k.end()
		return
	}
	go k.beat()
	k.read()
	s.drop(k)
}

func (s *Server) drop(k *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.sockets {
		if other == k {
			s.sockets = append(s.sockets[:i:i], s.sockets[i+1:]...)
			s.change()
			return
		}
	}
}

// beat pings, as Slack does: a client that hears nothing opens another socket.
func (k *socket) beat() {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		if k.conn.WriteControl(websocket.PingMessage, []byte("ping"), time.Now().Add(time.Second)) != nil {
			return
		}
		select {
		case <-k.gone:
			return
		case <-tick.C:
		}
	}
}

// read hands acknowledgements to those who wait for them, until the socket ends.
func (k *socket) read() {
	defer k.end()
	for {
		var said struct {
			ID      string          `json:"envelope_id"`
			Payload json.RawMessage `json:"payload"`
		}
		if k.conn.ReadJSON(&said) != nil {
			return
		}
		k.mu.Lock()
		if list := k.waiting[said.ID]; len(list) > 0 {
			list[0] <- said.Payload
			k.waiting[said.ID] = list[1:]
		}
		k.mu.Unlock()
	}
}

func (k *socket) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	select {
	case <-k.gone:
	default:
		close(k.gone)
		k.conn.Close()
	}
}

func (k *socket) write(v any) error {
	k.writing.Lock()
	defer k.writing.Unlock()
	return k.conn.WriteJSON(v)
}

// Sockets is how many sockets are open.
func (s *Server) Sockets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sockets)
}

// Disconnect asks the app to open other sockets, as Slack does every few hours,
// and ends those there are.
func (s *Server) Disconnect() {
	s.mu.Lock()
	sockets := s.sockets
	s.sockets = nil
	s.change()
	s.mu.Unlock()
	for _, k := range sockets {
		// A socket that is gone needs no word of it.
		_ = k.write(object{"type": "disconnect", "reason": "refresh_requested", "debug_info": object{"host": "slacktest"}})
		k.end()
	}
}

var errNoSocket = errors.New("the app has no socket open")

// throughSocket sends an envelope to the next socket and waits for its
// acknowledgement.
func (s *Server) throughSocket(ctx context.Context, sent Sent) (json.RawMessage, error) {
	s.mu.Lock()
	var k *socket
	if n := len(s.sockets); n > 0 {
		k = s.sockets[s.turn%n]
		s.turn++
	}
	s.mu.Unlock()
	if k == nil {
		return nil, errNoSocket
	}
	answered := make(chan json.RawMessage, 1)
	k.mu.Lock()
	k.waiting[sent.ID] = append(k.waiting[sent.ID], answered)
	k.mu.Unlock()
	if err := k.write(json.RawMessage(sent.Envelope)); err != nil {
		return nil, err
	}
	select {
	case payload := <-answered:
		return payload, nil
	case <-k.gone:
		return nil, errors.New("the socket ended before the request was acknowledged")
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
