//go:build race

package local_test

// raceDetector tells that this binary, which the query routers run too, carries the memory of the race detector.
const raceDetector = true
