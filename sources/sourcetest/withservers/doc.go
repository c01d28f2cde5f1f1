// Command withservers runs a command with the real servers the tests need.
//
//	go run ./sources/sourcetest/withservers [-only postgres,mysql] -- go test ./...
//
// For every server it first looks at the environment variable the tests read
// the URL from. When it is set, that server is used and nothing is started.
// Otherwise a private server is started from what the machine has, or from what
// can be installed: on a free loopback port, with its data in a fresh temporary
// directory, never as root. The command sees the URLs in its environment and
// gets no standard input; its exit code becomes ours (go run, around it, makes 1
// of every failure and prints the code).
//
// What was started is stopped, and the directory removed, when the command ends,
// when it fails, and when withservers is interrupted (the signal is passed on to
// the command first). On Linux the servers also end when withservers is killed
// outright, though the directory then stays behind. No other process is ever
// touched.
//
// A further server is one more entry in knownServers and one file beside
// postgres.go.
package main
