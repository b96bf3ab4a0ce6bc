package zones

import "time"

// WindowOpen reports whether the balancer's window is open at a time of day, which has to be in the time zone of the config servers. Without a window, or with one
// that cannot be read, it is.
func (b Balancer) WindowOpen(at time.Time) bool {
	start, errStart := time.Parse("15:04", b.WindowStart)
	stop, errStop := time.Parse("15:04", b.WindowStop)
	if errStart != nil || errStop != nil {
		return true
	}
	minute := func(t time.Time) int { return t.Hour()*60 + t.Minute() }
	from, to, now := minute(start), minute(stop), minute(at)
	if from < to {
		return from <= now && now < to
	}
	return from <= now || now < to // over midnight
}
