package mongodb

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"plumbline/sources"
)

// Probe asks the server that reads would go to what it is and what our role may do.
func (s *source) Probe(ctx context.Context) (sources.Facts, error) {
	facts := sources.Facts{Product: "MongoDB"}
	build, err := s.run(ctx, "admin", bson.D{{Key: "buildInfo", Value: int32(1)}, s.timeout()})
	if err != nil {
		return sources.Facts{}, err
	}
	facts.Version, _ = build.Lookup("version").StringValueOK()
	hello, err := s.run(ctx, "admin", bson.D{{Key: "hello", Value: int32(1)}})
	if err != nil {
		return sources.Facts{}, err
	}
	if secondary, _ := hello.Lookup("secondary").BooleanOK(); secondary {
		facts.Standby = true
		facts.Notes = append(facts.Notes, "a secondary is read: what it lacks may merely be late")
	}
	status, err := s.run(ctx, "admin", bson.D{{Key: "connectionStatus", Value: int32(1)}, {Key: "showPrivileges", Value: true}})
	if code := codeOf(err); code == codeCommandNotFound || code == codeUnauthorized {
		facts.CanWrite = true
		facts.Notes = append(facts.Notes, "the server does not say what our role may do; only reads are sent")
		return facts, nil
	}
	if err != nil {
		return sources.Facts{}, err
	}
	users, _ := status.Lookup("authInfo", "authenticatedUsers").ArrayOK()
	if signedIn, err := users.Values(); err == nil && len(signedIn) == 0 {
		facts.CanWrite = true
		facts.Notes = append(facts.Notes, "nobody is signed in: anyone who reaches this server may write")
		return facts, nil
	}
	privileges, _ := status.Lookup("authInfo", "authenticatedUserPrivileges").ArrayOK()
	facts.CanWrite = s.mayWrite(privileges)
	return facts, nil
}

// mayWrite says whether one of the privileges is to change this database.
func (s *source) mayWrite(privileges bson.RawArray) bool {
	values, err := privileges.Values()
	if err != nil {
		return true // unknown: say the worse
	}
	for _, v := range values {
		privilege, ok := v.DocumentOK()
		if !ok {
			continue
		}
		if database, named := privilege.Lookup("resource", "db").StringValueOK(); named && database != "" && database != s.database {
			continue
		}
		if cluster, _ := privilege.Lookup("resource", "cluster").BooleanOK(); cluster {
			continue
		}
		actions, _ := privilege.Lookup("actions").ArrayOK()
		names, err := actions.Values()
		if err != nil {
			return true
		}
		if slices.ContainsFunc(names, func(n bson.RawValue) bool {
			return slices.Contains([]string{"insert", "update", "remove", "anyAction"}, n.StringValue())
		}) {
			return true
		}
	}
	return false
}
