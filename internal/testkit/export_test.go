package testkit

import "context"

// TryMeasure waits for a turn as Measures does, and gives it back at once.
func TryMeasure(ctx context.Context) error {
	lock, err := turn(ctx)
	if err == nil {
		err = lock.Close()
	}
	return err
}
