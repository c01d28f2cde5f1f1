//go:build race

package web_test

import "time"

// slack is how much slower everything may be under the race detector.
func slack() (times time.Duration) { return 8 }
