//go:build !linux

package main

import (
	"os"
	"syscall"
)

// On other systems the servers run as ourselves, and they outlive us when we are
// killed outright; everything else holds.

func serverAttr(*account, syscall.Signal) *syscall.SysProcAttr { return nil }

func commandAttr() *syscall.SysProcAttr { return nil }

func signalGroup(p *os.Process, sig os.Signal) { _ = p.Signal(sig) }

func killGroup(p *os.Process) { _ = p.Kill() }

func ownedByUs(os.FileInfo) bool { return true }
