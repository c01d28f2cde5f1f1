// Package mongodb reads MongoDB.
//
// A dataset is a collection (or a part of it: Filter), the output of an
// aggregation (Pipeline), or the elements of an array in each document (Unwind).
// Collections are paged by _id, always through the index on _id, whatever types
// of _id they mix; aggregations and views have no index and are sorted by the
// server for every page.
//
// To read, only find, aggregate and commands that describe are ever sent, with
// the statement timeout as maxTimeMS, and no pipeline that writes: the server has
// no sessions that only read, so beyond that its roles must keep us from writing.
// A source opened with Options.Writable may also change single documents, each by
// one command that carries all of its own conditions; see Write. No session or
// transaction is needed.
package mongodb

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"plumbline/sources"
)

const (
	appName = "plumbline"
	// selectWithin bounds the search for a server that may be read.
	selectWithin = 5 * time.Second
	// closeWithin bounds the good-bye to a server that no longer answers.
	closeWithin = 2 * time.Second
)

// source is a database of a MongoDB deployment.
type source struct {
	uri      string
	database string
	secrets  []string
	limits   sources.Options
	datasets sync.Map // *sources.Dataset to *dataset
	// remembered is how many were put into datasets, about.
	remembered atomic.Int64

	// plainConcern is set once the server has said that it knows no read concern.
	plainConcern atomic.Bool

	mu      sync.Mutex // guards what follows
	client  *mongo.Client
	options *options.ClientOptions
	closed  bool
}

// Open makes a source of the database that the URL's path names. It reaches
// nothing: a name behind mongodb+srv is looked up, and a server dialled, at the
// first read. Of the connections that the options allow, one watches the server
// and the others read; a source of one connection has one of each.
func Open(o sources.Options) (sources.Source, error) {
	o = o.WithDefaults()
	s := &source{uri: o.URL.Reveal(), limits: o}
	parsed, err := url.Parse(firstHost(s.uri))
	if err != nil || parsed.Scheme != "mongodb" && parsed.Scheme != "mongodb+srv" {
		return nil, sources.Final(errors.New("the URL does not read mongodb://HOST/DATABASE or mongodb+srv://HOST/DATABASE (percent-encode special characters of the password)"))
	}
	if password, ok := parsed.User.Password(); ok && password != "" {
		_, raw, _ := strings.Cut(parsed.User.String(), ":")
		s.secrets = []string{password, raw}
	}
	s.database = strings.TrimPrefix(parsed.Path, "/")
	if s.database == "" || strings.ContainsAny(s.database, `/\. "$`) {
		return nil, sources.Final(errors.New("the URL names no database: write it as its path, mongodb://HOST/DATABASE"))
	}
	if parsed.Scheme == "mongodb" {
		if s.options, err = s.clientOptions(); err != nil {
			return nil, sources.Final(err)
		}
	}
	return s, nil
}

// firstHost drops all hosts of a seed list but the first, which net/url can read.
func firstHost(uri string) string {
	scheme, rest, _ := strings.Cut(uri, "://")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	user := ""
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, authority = authority[:at+1], authority[at+1:]
	}
	host, _, _ := strings.Cut(authority, ",")
	if strings.HasSuffix(strings.ToLower(host), ".sock") {
		host = "socket"
	}
	return scheme + "://" + user + host + tail
}

// clientOptions reads the URL, which for mongodb+srv asks the name server.
func (s *source) clientOptions() (*options.ClientOptions, error) {
	o := options.Client().ApplyURI(s.uri).
		SetAppName(appName).
		SetMaxPoolSize(uint64(max(1, s.limits.Connections-1))). // and one that watches the server
		SetMinPoolSize(0).
		SetMaxConnecting(uint64(max(1, s.limits.Connections-1))).
		SetRetryReads(false). // the Reader retries
		SetRetryWrites(false).
		SetServerMonitoringMode(options.ServerMonitoringModePoll) // one connection, not two, watches a server
	if o.ServerSelectionTimeout == nil {
		o.SetServerSelectionTimeout(selectWithin)
	}
	if o.ConnectTimeout == nil {
		o.SetConnectTimeout(selectWithin)
	}
	o.Timeout = nil
	if o.ReadConcern == nil {
		o.SetReadConcern(readconcern.Majority())
	}
	if o.ReadPreference == nil || s.limits.Writable { // what is written is looked at where it is written
		o.SetReadPreference(readpref.Primary())
	}
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("read the URL: %w", s.hideSecrets(err))
	}
	return o, nil
}

// connected returns the client, made at first use: its monitors dial at once.
func (s *source) connected() (*mongo.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, sources.Final(errors.New("the source is closed"))
	}
	if s.client != nil {
		return s.client, nil
	}
	if s.options == nil {
		o, err := s.clientOptions()
		if err != nil {
			return nil, err // a name server that does not answer: transient
		}
		s.options = o
	}
	client, err := mongo.Connect(s.options)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", s.hideSecrets(err))
	}
	s.client = client
	return client, nil
}

// Close disconnects. It is bounded: a server that no longer answers keeps nothing.
func (s *source) Close() error {
	s.mu.Lock()
	client := s.client
	s.client, s.closed = nil, true
	s.mu.Unlock()
	if client == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	if err := client.Disconnect(ctx); err != nil {
		return fmt.Errorf("disconnect: %w", s.hideSecrets(err))
	}
	return nil
}
