// Package pace does things at their times: a regular job, or a pause. Both end early with their context. A wait for a state is neither: for that
// there is github.com/cenkalti/backoff.
//
//	pace.Every(ctx, time.Second, func() { look(ctx) }) // until the context ends
package pace
