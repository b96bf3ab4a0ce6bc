package pace_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/geoshard/geoshard/internal/pace"
)

func ExampleEvery() {
	ctx, stop := context.WithCancel(context.Background())
	looks := 0
	pace.Every(ctx, time.Millisecond, func() {
		if looks++; looks == 3 {
			stop()
		}
	})
	fmt.Println(looks, "looks, and a pause to its end:", pace.Pause(ctx, time.Hour))
	// Output: 3 looks, and a pause to its end: false
}

func TestAJobIsDoneAtOnceAndAtEachTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		var at []time.Duration
		began := time.Now()
		pace.Every(ctx, time.Second, func() { at = append(at, time.Since(began)) })
		if fmt.Sprint(at) != "[0s 1s 2s 3s]" || time.Since(began) != 3500*time.Millisecond {
			t.Errorf("done at %v, ended after %s", at, time.Since(began))
		}
		pace.Every(ctx, time.Second, func() { t.Error("done after the end") })
	})
}

func TestAPauseIsAsLongAsItShallBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if !pace.Pause(t.Context(), time.Minute) || time.Since(began) != time.Minute {
			t.Errorf("ended after %s", time.Since(began))
		}
	})
}
