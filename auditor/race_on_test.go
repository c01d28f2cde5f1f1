//go:build race

package auditor_test

// raceDetector says whether the tests look for races, which makes all slow.
const raceDetector = true
