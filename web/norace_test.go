//go:build !race

package web_test

import "time"

// slack is how much slower everything may be than in earnest.
func slack() (times time.Duration) { return 1 }
