package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

var _ sources.Gauger = (*source)(nil)

const (
	codeNoReplication = 76
	codeBadLocation   = 40324 // no such stage
	statePrimary      = 1
	stateSecondary    = 2
)

// Gauge implements sources.Gauger. Both what it asks need the role clusterMonitor.
func (s *source) Gauge(ctx context.Context) (l sources.Load, err error) {
	if l.Active, err = s.active(ctx); err == nil {
		l.ActiveKnown = true
	} else if !unwilling(err) {
		return sources.Load{}, err
	}
	status, err := s.run(ctx, "admin", doc("replSetGetStatus", int32(1)))
	switch {
	case err == nil:
		l.Standby = numberOf(status.Lookup("myState")) == stateSecondary
		l.Lag, l.LagKnown = replicationLag(status)
	case codeOf(err) != codeNoReplication && !unwilling(err):
		return sources.Load{}, err
	}
	if !l.ActiveKnown {
		l.Note = "the server does not say what others run; the role clusterMonitor shows it"
	}
	return l, nil
}

// unwilling says whether the server refused to tell, for good.
func unwilling(err error) bool {
	switch codeOf(err) {
	case codeUnauthorized, codeCommandNotFound, codeCommandNotSupported, codeInvalidOptions, codeBadLocation:
		return true
	}
	return false
}

// active counts the operations of other clients that are at work. Drivers that
// wait for news of the server, and standbys that wait for the log, are at none.
func (s *source) active(ctx context.Context) (n int, err error) {
	absent := doc("$exists", false)
	command := bson.D{
		{Key: "aggregate", Value: int32(1)},
		{Key: "pipeline", Value: bson.A{
			doc("$currentOp", bson.D{{Key: "allUsers", Value: true}, {Key: "idleConnections", Value: false}}),
			doc("$match", bson.D{
				{Key: "active", Value: true},
				{Key: "appName", Value: doc("$ne", appName)},
				{Key: "op", Value: doc("$ne", "none")},
				{Key: "ns", Value: doc("$ne", "local.oplog.rs")},
				{Key: "command.hello", Value: absent}, {Key: "command.isMaster", Value: absent}, {Key: "command.ismaster", Value: absent},
				{Key: "$or", Value: bson.A{doc("client", doc("$exists", true)), doc("client_s", doc("$exists", true))}},
			}),
			doc("$count", "n"),
		}},
		{Key: "cursor", Value: bson.D{}},
		s.timeout(),
	}
	answer, err := s.run(ctx, "admin", command)
	if err != nil {
		return 0, err
	}
	first, err := answer.LookupErr("cursor", "firstBatch", "0", "n")
	if err != nil { // an empty batch: there are none
		return 0, nil
	}
	return int(numberOf(first)), nil
}

// replicationLag is by how much the member that answers, where it is a secondary,
// or else the secondary furthest behind, has applied less than the primary has
// written. An idle primary writes nothing that one could be behind with.
func replicationLag(status bson.Raw) (lag time.Duration, known bool) {
	members, _ := status.Lookup("members").ArrayOK()
	values, err := members.Values()
	if err != nil {
		return 0, false
	}
	self := numberOf(status.Lookup("myState")) == stateSecondary
	var written time.Time
	var applied []time.Time
	for _, v := range values {
		member, ok := v.DocumentOK()
		if !ok {
			continue
		}
		at, ok := member.Lookup("optimeDate").TimeOK()
		mine, _ := member.Lookup("self").BooleanOK()
		switch state := numberOf(member.Lookup("state")); {
		case !ok:
		case state == statePrimary:
			written = at
		case state == stateSecondary && (mine || !self):
			applied = append(applied, at)
		}
	}
	if written.IsZero() {
		return 0, false
	}
	for _, at := range applied {
		lag, known = max(lag, written.Sub(at)), true
	}
	return lag, known
}

// numberOf is a number of whatever type, 0 for what is none.
func numberOf(v bson.RawValue) int64 {
	n, _ := bsoncore.Value{Type: bsoncore.Type(v.Type), Data: v.Value}.AsInt64OK()
	return n
}
