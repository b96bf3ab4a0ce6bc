// Package consistency is about what is asked of the database: named settings for one operation, what they promise, what they cost, and a
// token that carries "what this user has seen" from one process and datacenter to another.
//
// A [Profile] is a value: a name, settings, a promise. It yields the driver's options for a client, a collection, a session and a
// transaction. [Named] has eight; anybody can fill one of his own. [Check] holds a profile against a topology and reports what contradicts
// itself, [Forecast] says what it will cost from each datacenter.
//
// A [Token] is what a causal session knows. It is sealed with a [signing.Keyring] into at most 150 characters that nobody can forge, and
// [OpenToken] opens only what was sealed, neither expired nor of the future. [Within] runs a read that may have to wait for a token's time, and gives up with
// [ErrNotCaughtUp]. A [Witness] watches the driver's commands and says which member answered and how old the answer can be at most.
//
// The package never reads a clock to decide anything: times are handed in. It never prints a key. It does not judge recorded histories.
//
//	profile, _ := consistency.Lookup("session") // reads the nearest member; durable reads the primary
//	collection := db.Collection("orders", profile.CollectionOptions("LON"))
//
//	token, err := consistency.TokenOf(session, "LON", time.Now())          // after a write
//	text, err := token.Seal(keys)                                          // to the user, who travels
//	token, err = consistency.OpenToken(keys, text, time.Now(), consistency.Limits{}) // in another process
//	err = token.Advance(session)
//	err = consistency.Within(mongo.NewSessionContext(ctx, session), 2*time.Second, func(ctx context.Context) error {
//		return collection.FindOne(ctx, filter).Decode(&order) // sees the write, whichever member answers
//	})
package consistency
