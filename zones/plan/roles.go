package plan

import (
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/internal/serverversion"
	"github.com/geoshard/geoshard/zones"
)

// Names of the roles.
const (
	PlanRoleName  = "geoshardPlan"
	ApplyRoleName = "geoshardApply"
)

// A Resource is what a privilege is about: the cluster, or collections. An empty DB or Collection stands for all of them. The tags are those of MongoDB's own documents.
type Resource struct {
	Cluster     bool   `bson:"cluster,omitempty"`
	AnyResource bool   `bson:"anyResource,omitempty"`
	DB          string `bson:"db"`
	Collection  string `bson:"collection"`
}

// String is "the cluster", "config.tags", "all collections of shop" or "all collections".
func (r Resource) String() string {
	switch {
	case r.Cluster:
		return "the cluster"
	case r.DB == "":
		return "all collections"
	case r.Collection == "":
		return "all collections of " + r.DB
	default:
		return r.DB + "." + r.Collection
	}
}

// document is the resource as commands take it: either {cluster: true}, or {db, collection}.
func (r Resource) document() bson.D {
	switch {
	case r.Cluster:
		return bson.D{{Key: "cluster", Value: true}}
	case r.AnyResource:
		return bson.D{{Key: "anyResource", Value: true}}
	default:
		return bson.D{{Key: "db", Value: r.DB}, {Key: "collection", Value: r.Collection}}
	}
}

// A Privilege allows actions on a resource. It can be read from connectionStatus with showPrivileges.
type Privilege struct {
	Resource Resource `bson:"resource"`
	Actions  []string `bson:"actions"`
}

func (r Resource) allowing(actions ...string) Privilege { return Privilege{r, actions} }

// A Role is a set of privileges with a name.
type Role struct {
	Name       string
	Privileges []Privilege
}

// For is the role as servers of a version take it: without the actions that they do not know
// (serverversion.NoDistribution). A version that cannot be read counts as new.
func (r Role) For(version string) Role {
	v, err := serverversion.Parse(version)
	if err != nil || !serverversion.NoDistribution.Holds(v) {
		return r
	}
	r.Privileges = slices.Clone(r.Privileges)
	for i, p := range r.Privileges {
		r.Privileges[i].Actions = slices.DeleteFunc(slices.Clone(p.Actions), func(a string) bool { return a == distributionAction })
	}
	return r
}

// distributionAction allows $shardedDataDistribution, which counts orphans.
const distributionAction = "shardedDataDistribution"

// CreateRole is the command that creates the role; it is sent to the database admin, because the role reaches over databases.
func (r Role) CreateRole() bson.D {
	privileges := bson.A{}
	for _, p := range r.Privileges {
		privileges = append(privileges, bson.D{{Key: "resource", Value: p.Resource.document()}, {Key: "actions", Value: p.Actions}})
	}
	return bson.D{{Key: "createRole", Value: r.Name}, {Key: "privileges", Value: privileges}, {Key: "roles", Value: bson.A{}}}
}

// PlanRole is what reading, planning, verifying through the router and status need. It changes nothing. Namespaces are the declared ones; where there are none, or where one is a
// pattern, it reaches over all collections of the database. Sources, in MongoDB's manual:
//
//   - listShards on the cluster: reference/command/listShards.
//   - shardedDataDistribution on the cluster, to see orphans: reference/operator/aggregation/shardedDataDistribution. Find on config.changelog, to see migrations.
//   - serverStatus on the cluster, which tells the config servers, and replSetGetConfig to ask those where their members are: the pages of these commands. A shard has users of
//     its own, who need replSetGetConfig there, and getParameter for the featureCompatibilityVersion, without which that is not checked.
//   - find on collections of config: reference/privilege-actions (find), for version, shards, databases, collections, chunks and tags; settings also for
//     balancerStatus, which the manual does not list.
//   - listCollections on the database, listIndexes and collStats on the collection: the pages of these commands.
//   - find on the collection: reference/privilege-actions; dataSize needs it too, and so does the count of unknown values.
//   - find on the journal: what was applied last tells drift from intent.
func PlanRole(namespaces []string) Role {
	privileges := []Privilege{Resource{Cluster: true}.allowing("listShards", "replSetGetConfig", "serverStatus", distributionAction)}
	for _, name := range []string{"version", "shards", "databases", "collections", "chunks", "tags", "settings", "changelog"} {
		privileges = append(privileges, Resource{DB: "config", Collection: name}.allowing("find"))
	}
	privileges = append(privileges, Resource{DB: zones.JournalDatabase}.allowing("find"))
	collections, databases := resourcesOf(namespaces)
	for _, db := range databases {
		privileges = append(privileges, db.allowing("listCollections"))
	}
	for _, c := range collections {
		privileges = append(privileges, c.allowing("collStats", "find", "listIndexes"))
	}
	return Role{PlanRoleName, merged(privileges)}
}

// ApplyRole is PlanRole, and what an apply needs. Sources, in MongoDB's manual:
//
//   - enableSharding on the cluster for addShardToZone, removeShardFromZone and updateZoneKeyRange: reference/privilege-actions (enableSharding). The other way, to
//     write to config.shards and config.tags, would let its holder change them without the commands' checks. The built-in role of the same name is no
//     replacement: before 8.0.24 and 8.3.3 it cannot run updateZoneKeyRange (SERVER-122697).
//   - find and update on config.collections to hold a collection's balancing: reference/method/sh.disableBalancing, which writes noBalance there.
//   - enableSharding on the collection for shardCollection and balancerCollectionStatus: the pages of these commands.
//   - collMod on the collection for its validator: reference/privilege-actions (collMod). CreateCollection to make a new one with it: the page of create.
//   - find, insert, update, remove, createCollection and createIndex on the database of the journal and the lease, as in the built-in role readWrite.
//
// There is no moveChunk in it: the balancer moves the data.
func ApplyRole(namespaces []string) Role {
	privileges := append(PlanRole(namespaces).Privileges,
		Resource{Cluster: true}.allowing("enableSharding"),
		Resource{DB: "config", Collection: "collections"}.allowing("update"),
		Resource{DB: zones.JournalDatabase}.allowing("createCollection", "createIndex", "find", "insert", "remove", "update"))
	collections, _ := resourcesOf(namespaces)
	for _, c := range collections {
		privileges = append(privileges, c.allowing("collMod", "createCollection", "enableSharding"))
	}
	return Role{ApplyRoleName, merged(privileges)}
}

// resourcesOf lists the collections and the databases of namespaces, each once.
func resourcesOf(namespaces []string) (collections, databases []Resource) {
	if len(namespaces) == 0 {
		return []Resource{{}}, []Resource{{}}
	}
	for _, name := range namespaces {
		db, collection, _ := strings.Cut(name, ".")
		if strings.Contains(collection, "*") {
			collection = ""
		}
		collections = addOnce(collections, Resource{DB: db, Collection: collection})
		databases = addOnce(databases, Resource{DB: db})
	}
	return collections, databases
}

// merged has one privilege for each resource, in the order in which they come first, with sorted actions.
func merged(privileges []Privilege) (all []Privilege) {
	for _, p := range privileges {
		i := slices.IndexFunc(all, func(q Privilege) bool { return q.Resource == p.Resource })
		if i < 0 {
			i = len(all)
			all = append(all, Privilege{Resource: p.Resource})
		}
		all[i].Actions = addOnce(all[i].Actions, p.Actions...)
		slices.Sort(all[i].Actions)
	}
	return all
}

// direct are the privileges that the zone commands take in place of enableSharding on the cluster (reference/command/updateZoneKeyRange, Security); clusterManager has them.
var direct = []Privilege{
	Resource{DB: "config", Collection: "shards"}.allowing("find", "update"),
	Resource{DB: "config", Collection: "tags"}.allowing("find", "update", "remove"),
}

// Privileges are what the users of a connection may do.
type Privileges struct {
	// Users are "name@database"; none means that nobody has to log in.
	Users []string
	// Granted are the privileges of all users together.
	Granted []Privilege
	// Enforced is false where nobody has to log in, and where the server lists no privileges for a user: then nothing can be said of them.
	Enforced bool
}

// Missing names each action of the wanted privileges that is not granted, "enableSharding on the cluster"; nil if none is missing, or if privileges
// are not enforced.
func (p Privileges) Missing(want []Privilege) (missing []string) {
	if !p.Enforced {
		return nil
	}
	for _, w := range want {
		for _, action := range w.Actions {
			zoneCommands := w.Resource.Cluster && action == "enableSharding"
			if !allows(p.Granted, w.Resource, action) && !(zoneCommands && len(p.Missing(direct)) == 0) {
				missing = append(missing, action+" on "+w.Resource.String())
			}
		}
	}
	return missing
}

func allows(have []Privilege, on Resource, action string) bool {
	return slices.ContainsFunc(have, func(p Privilege) bool {
		return (slices.Contains(p.Actions, action) || slices.Contains(p.Actions, "anyAction")) && p.Resource.includes(on)
	})
}

// includes says whether a privilege on r is one on other. "All databases" leaves out the servers' own.
func (r Resource) includes(other Resource) bool {
	switch {
	case r.AnyResource:
		return true
	case r.Cluster || other.Cluster || other.AnyResource:
		return r.Cluster == other.Cluster && r.AnyResource == other.AnyResource
	case r.DB == "" && (other.DB == "config" || other.DB == "local"):
		return false
	default:
		return (r.DB == "" || r.DB == other.DB) && (r.Collection == "" || r.Collection == other.Collection)
	}
}
