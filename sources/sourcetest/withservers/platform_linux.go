package main

import (
	"os"
	"syscall"
)

// serverAttr starts a process under the account. It keeps it out of reach of the
// terminal's interrupt key, since the command has to end before the servers do,
// and sends it the signal when we are killed.
func serverAttr(as *account, onDeath syscall.Signal) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: onDeath}
	if as != nil {
		attr.Credential = &syscall.Credential{Uid: uint32(as.uid), Gid: uint32(as.gid)}
	}
	return attr
}

// commandAttr gives the command a process group of its own, so that a signal
// reaches the processes it started as well.
func commandAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// signalGroup sends the signal to the process and all that share its group.
func signalGroup(p *os.Process, sig os.Signal) {
	if s, ok := sig.(syscall.Signal); ok {
		_ = syscall.Kill(-p.Pid, s) // it may be gone, which is what we want
	}
}

func killGroup(p *os.Process) { signalGroup(p, syscall.SIGKILL) }

// ownedByUs says whether a file is ours alone to write.
func ownedByUs(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid() && info.Mode().Perm()&0o022 == 0
}
