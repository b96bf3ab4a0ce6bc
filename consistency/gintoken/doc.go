// Package gintoken carries causal tokens through a gin application: a token comes in by header or cookie, the request gets a causal session that
// is as far as the token, and after every database operation the newer token goes out with the answer.
//
// So a user who wrote in one datacenter reads his write in another one, from whatever member answers there. The middleware refuses every token
// that it did not seal before anything of it reaches the database, and never puts a key or a token into a log.
//
//	token, err := gintoken.New(gintoken.Options{Client: client, Keys: keys, Home: "LON"})
//	engine.Use(token)
//	engine.GET("/carts/:id", func(c *gin.Context) {
//		err := gintoken.Read(c, func(ctx context.Context) error { // at most Options.Wait
//			return carts.FindOne(ctx, filter).Decode(&cart)
//		})
//		...
//	})
//
// Operations join the session by using the request's context. A session is for one goroutine at a time.
package gintoken
