package devmongos

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// A resource is what a privilege is about, as servers list it. Empty texts stand for all databases,
// all collections.
type resource struct {
	Cluster     bool    `bson:"cluster"`
	AnyResource bool    `bson:"anyResource"`
	DB          string  `bson:"db"`
	Collection  string  `bson:"collection"`
	Buckets     *string `bson:"system_buckets"` // of time series, which are looked at by their own names here
}

// includes tells that a privilege on r is one on a collection, on a database (where collection is
// empty) or on the cluster (where db is empty too): manual, reference/resource-document. All
// databases are those of users; all collections are those without "system." in their names.
func (r resource) includes(db, collection string) bool {
	switch {
	case r.Buckets != nil:
		return false
	case r.AnyResource, r.Cluster && db == "":
		return true
	case r.Cluster || db == "":
		return false
	case r.DB == "" && r.Collection == "" && db == "config":
		return false
	case r.Collection == "" && strings.HasPrefix(collection, "system."):
		return false
	}
	return (r.DB == "" || r.DB == db) && (r.Collection == "" || r.Collection == collection)
}

// A grant is what a user may do, as the config servers say.
type grant struct {
	Privileges []struct {
		Resource resource `bson:"resource"`
		Actions  []string `bson:"actions"`
	} `bson:"inheritedPrivileges"`
	list  bsoncore.Value // the same for connectionStatus
	asked time.Time
}

// allows tells that a user may do all of one of the alternatives. None at all is for every user.
func (g *grant) allows(alternatives [][]want) bool {
	if len(alternatives) == 0 {
		return true
	}
	return slices.ContainsFunc(alternatives, func(all []want) bool {
		return !slices.ContainsFunc(all, func(w want) bool { return !g.has(w) })
	})
}

func (g *grant) has(w want) bool {
	for _, p := range g.Privileges {
		if (slices.Contains(p.Actions, w.action) || slices.Contains(p.Actions, "anyAction")) && p.Resource.includes(w.db, w.collection) {
			return true
		}
	}
	return false
}

// grants are what users may do. They are believed for grantsFor, unless a user or role was changed
// through this router: as in a mongos (userCacheInvalidationIntervalSecs).
type grants struct {
	mu      sync.Mutex // guards following
	of      map[string]*grant
	changes int
}

const grantsFor = 30 * time.Second

// authorize refuses what the user of a client may not do. It asks the config servers what that is.
func (r *logins) authorize(ctx context.Context, req *request) error {
	if !req.client.guard.authenticates() || openToAll[req.name] {
		return nil
	}
	alternatives := wantsOf(req.name, req.db, req.body)
	if len(alternatives) == 0 {
		return nil
	}
	g, err := r.grantOf(ctx, req.client.login.who)
	if err == nil && !g.allows(alternatives) {
		err = refuse(codeUnauthorized, "not authorized on %s to execute command %s", req.db, req.name)
	}
	return err
}

// grantOf is what the user of a login may do. What is known already holds on while the config
// servers have no primary.
func (r *logins) grantOf(ctx context.Context, who bsoncore.Document) (*grant, error) {
	users := arrayValues(field(who, "authenticatedUsers"))
	if len(users) != 1 {
		return nil, refuse(codeUnauthorized, "the login is not one of a user")
	}
	key := string(users[0].Data)
	r.grants.mu.Lock()
	g, changes := r.grants.of[key], r.grants.changes
	r.grants.mu.Unlock()
	if g != nil && time.Since(g.asked) < grantsFor {
		return g, nil
	}
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	answer, err := r.configs.tell(ctx, "admin", fields("usersInfo", users[0], "showPrivileges", true))
	if err != nil {
		if g != nil && answerIn(err) == nil {
			return g, nil
		}
		return nil, err
	}
	found := arrayValues(field(answer, "users"))
	if len(found) != 1 {
		return nil, refuse(codeUnauthorized, "the user of this login is gone")
	}
	user := bsoncore.Document(slices.Clone(found[0].Data))
	g = &grant{asked: time.Now(), list: field(user, "inheritedPrivileges")}
	if err := bson.Unmarshal(user, g); err != nil {
		return nil, errors.Join(errors.New("read the privileges of a user"), err)
	}
	r.grants.mu.Lock()
	defer r.grants.mu.Unlock()
	if r.grants.changes == changes {
		if r.grants.of == nil {
			r.grants.of = map[string]*grant{}
		}
		r.grants.of[key] = g
	}
	return g, nil
}

// forgetting makes the handlers of commands that change users and roles forget what was known of
// them.
func (r *logins) forgetting(rows map[string]handler) map[string]handler {
	for name, run := range rows {
		if strings.HasSuffix(name, "Info") {
			continue
		}
		rows[name] = func(ctx context.Context, req *request) (bsoncore.Document, error) {
			doc, err := run(ctx, req)
			r.grants.mu.Lock()
			defer r.grants.mu.Unlock()
			clear(r.grants.of)
			r.grants.changes++
			return doc, err
		}
	}
	return rows
}
