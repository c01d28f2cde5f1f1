package main

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// account is a user of the machine that is neither us nor root.
type account struct {
	name     string
	uid, gid int
}

func runsAsRoot() bool { return os.Geteuid() == 0 }

// unprivileged answers the account a server runs under when we are root: the one
// with the preferred name where it exists, else nobody's. It answers nil, which
// stands for ourselves, when we are not root.
func unprivileged(preferred string) *account {
	if !runsAsRoot() {
		return nil
	}
	for _, name := range []string{preferred, "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.Atoi(u.Uid)
		gid, errGID := strconv.Atoi(u.Gid)
		if errUID == nil && errGID == nil && uid != 0 {
			return &account{name: name, uid: uid, gid: gid}
		}
	}
	return &account{name: "65534", uid: 65534, gid: 65534}
}

// reachable says whether every account can get to the path: the directories on
// the way, links followed, let anyone pass. A path that does not exist is judged
// by those of its parents that do.
func reachable(path string) bool {
	path, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	for {
		real, err := filepath.EvalSymlinks(path)
		if err == nil {
			path = real
			break
		}
		if path = filepath.Dir(path); path == filepath.Dir(path) {
			break
		}
	}
	for {
		if info, err := os.Stat(path); err != nil || info.IsDir() && info.Mode().Perm()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(path)
		if parent == path {
			return true
		}
		path = parent
	}
}
