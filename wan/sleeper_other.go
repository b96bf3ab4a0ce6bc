//go:build !linux

package wan

func newSleeper() sleeper { return newTimerSleeper() }
