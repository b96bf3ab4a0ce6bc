package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
)

// Where geoshard keeps what it has to remember in a cluster.
const (
	locksCollection   = "locks"
	journalCollection = "journal"
	partsCollection   = "journalParts"
	locksName         = zones.JournalDatabase + "." + locksCollection
	journalName       = zones.JournalDatabase + "." + journalCollection
	partsName         = zones.JournalDatabase + "." + partsCollection
	// applyLock is the _id of the lease under which applies are made.
	applyLock = "apply"
)

// DefaultExpiry is how long a lease lives without being renewed: long enough for an election in the shard that holds it, short enough to wait for.
const DefaultExpiry = 30 * time.Second

const (
	// renewals is how often a lease is renewed within its expiry, so that one that fails does no harm.
	renewals = 3
	// marginShare of the expiry is the time between the end of the work and the moment at which somebody else may begin: for
	// commands that are on their way.
	marginShare = 6
	// lockTries bounds how often a lease is tried for that came free between the try and the look at its holder.
	lockTries = 5
)

// LockOptions are how a lease is taken. The zero value is right for a command.
type LockOptions struct {
	// Expiry is how long the lease lives without being renewed; 0 means DefaultExpiry.
	Expiry time.Duration
	// Owner is who is told to others; empty means the user that the process runs as.
	Owner string
}

// A Locker keeps two applies to one cluster apart, by a document in the cluster.
type Locker struct {
	catalog *Catalog
	locks   *mongo.Collection
	o       LockOptions
}

func (c *Catalog) lockerIn(db string, o LockOptions) *Locker {
	if o.Expiry <= 0 {
		o.Expiry = DefaultExpiry
	}
	if o.Owner == "" {
		o.Owner = processOwner()
	}
	return &Locker{c, c.database(db).Collection(locksCollection), o}
}

func processOwner() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown user"
}

// leaseDocument is the lease in the cluster, whose fields have the holder's names in small letters. All times are the servers'.
type leaseDocument struct {
	apply.Holder `bson:",inline"`
	Now          time.Time
}

// Lock takes the lease if it is free or has expired. Otherwise it returns a *apply.LockedError.
func (l *Locker) Lock(ctx context.Context) (context.Context, apply.Lease, error) {
	for range lockTries {
		found, err := l.read(ctx)
		if err != nil {
			return nil, nil, l.catalog.fail("read the lease", "find", locksName, err)
		}
		if found.Expires.After(found.Now) {
			return nil, nil, &apply.LockedError{Holder: found.Holder, Now: found.Now}
		}
		asked := time.Now()
		taken, err := l.take(ctx, found)
		switch {
		case err == nil:
			leased, lease := l.hold(ctx, taken.Holder, asked)
			return leased, lease, nil
		case !errors.Is(err, mongo.ErrNoDocuments) && !mongo.IsDuplicateKeyError(err):
			return nil, nil, l.catalog.fail("take the lease", "update", locksName, err)
		}
	}
	return nil, nil, fmt.Errorf("take the lease (%s): others took it %d times while it was being taken; try again", locksName, lockTries)
}

// take writes a new lease in the place of the one that was found, if that has not changed: not taken by somebody else, nor renewed after all.
// Where none was found the insert fails on the _id if there is one by now.
func (l *Locker) take(ctx context.Context, found leaseDocument) (taken leaseDocument, err error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	filter := bson.M{"_id": applyLock, "token": found.Token}
	if found.Token != "" {
		filter["expires"] = found.Expires
	}
	literal := func(v any) bson.M { return bson.M{"$literal": v} }
	update := []bson.M{{"$set": bson.D{
		{Key: "token", Value: bson.NewObjectID().Hex()},
		{Key: "owner", Value: literal(l.o.Owner)}, {Key: "host", Value: literal(host)}, {Key: "pid", Value: literal(os.Getpid())},
		{Key: "since", Value: "$$NOW"}, {Key: "expires", Value: l.expires()},
	}}}
	o := options.FindOneAndUpdate().SetUpsert(found.Token == "").SetReturnDocument(options.After)
	err = l.locks.FindOneAndUpdate(ctx, filter, update, o).Decode(&taken)
	return taken, err
}

// expires is the end of a lease that is taken or renewed now.
func (l *Locker) expires() bson.M {
	return bson.M{"$add": bson.A{"$$NOW", l.o.Expiry.Milliseconds()}}
}

// read looks who has the lease, and what time it is there. Where there is none it returns the zero document.
func (l *Locker) read(ctx context.Context) (doc leaseDocument, err error) {
	fields := bson.M{"now": "$$NOW", "token": 1, "owner": 1, "host": 1, "pid": 1, "since": 1, "expires": 1}
	err = l.locks.FindOne(ctx, bson.M{"_id": applyLock}, options.FindOne().SetProjection(fields)).Decode(&doc)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return leaseDocument{}, nil
	}
	return doc, err
}

// A lease is the holding of the lock by this process.
type lease struct {
	*Locker
	holder apply.Holder
	lose   context.CancelCauseFunc
	stop   context.CancelFunc
	done   chan struct{} // closed when the renewals have ended

	mu    sync.Mutex
	until *time.Timer // guarded by mu; ends the work when it fires
}

// hold begins the renewals of a lease that was asked for at that time. Asked is before the server's time of taking, so counting from it errs on
// the safe side whatever the two clocks show.
func (l *Locker) hold(ctx context.Context, holder apply.Holder, asked time.Time) (context.Context, *lease) {
	leased, lose := context.WithCancelCause(ctx)
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	held := &lease{Locker: l, holder: holder, lose: lose, stop: stop, done: make(chan struct{})}
	held.until = time.AfterFunc(l.safe(asked), func() { lose(apply.ErrLeaseLost) })
	go held.renewals(renewing)
	return leased, held
}

// safe is how much longer the work may go on after a renewal that was asked for at that time.
func (l *Locker) safe(asked time.Time) time.Duration {
	return time.Until(asked.Add(l.o.Expiry - l.o.Expiry/marginShare))
}

// Holder is this process.
func (l *lease) Holder() apply.Holder { return l.holder }

// renewals keeps the lease alive. One that fails is followed by the next; if all fail, the timer ends the work.
func (l *lease) renewals(ctx context.Context) {
	defer close(l.done)
	every := l.o.Expiry / renewals
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		bounded, cancel := context.WithTimeout(ctx, every)
		err := l.Check(bounded)
		cancel()
		if errors.Is(err, apply.ErrLeaseLost) {
			return
		}
	}
}

// Check renews the lease, if it is still ours.
func (l *lease) Check(ctx context.Context) error {
	asked := time.Now()
	update := []bson.M{{"$set": bson.M{"expires": l.expires()}}}
	result, err := l.locks.UpdateOne(ctx, l.ours(), update)
	switch {
	case err != nil:
		return l.catalog.fail("renew the lease", "update", locksName, err)
	case result.MatchedCount == 0:
		l.lose(apply.ErrLeaseLost)
		return apply.ErrLeaseLost
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.until.Stop() { // it has fired: the work has ended already, although nobody else has the lease yet
		return apply.ErrLeaseLost
	}
	l.until.Reset(l.safe(asked))
	return nil
}

// ours matches the lease only while it has our token.
func (l *lease) ours() bson.M {
	return bson.M{"_id": applyLock, "token": l.holder.Token}
}

// Release ends the renewals and gives the lease back.
func (l *lease) Release(ctx context.Context) error {
	l.stop()
	<-l.done
	l.mu.Lock()
	l.until.Stop()
	l.mu.Unlock()
	defer l.lose(context.Canceled)
	result, err := l.locks.DeleteOne(ctx, l.ours())
	if err != nil {
		return l.catalog.fail("give the lease back", "remove", locksName, err)
	}
	if result.DeletedCount == 0 {
		return apply.ErrLeaseLost
	}
	return nil
}
