// Package terminal shows text to people: columns aligned, a line of progress
// redrawn in place. Nothing in it writes a control character that came from data.
package terminal
