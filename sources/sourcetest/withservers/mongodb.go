package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// dockerImage is the MongoDB that Docker runs.
const dockerImage = "mongo:7"

// errNotHere says that a way to have a server does not exist on this machine.
var errNotHere = errors.New("no engine answers")

// startMongoDB starts a private MongoDB: the server on PATH, else one in Docker,
// else the engine without a server that npm carries.
func startMongoDB(ctx context.Context, h *host) (endpoint, error) {
	var reasons []string
	for _, way := range []struct {
		name  string
		start func(context.Context, *host) (endpoint, error)
	}{
		{"mongod", startMongod},
		{"docker", startMongoInDocker},
		{"the embedded engine", startMongoEngine},
	} {
		e, err := way.start(ctx, h)
		if err == nil {
			return e, nil
		}
		if ctx.Err() != nil {
			return endpoint{}, ctx.Err()
		}
		if !errors.Is(err, errNotHere) && !errors.Is(err, exec.ErrNotFound) {
			h.say("%s was found but is of no use: %v", way.name, err)
		}
		reasons = append(reasons, way.name+": "+err.Error())
	}
	return endpoint{}, fmt.Errorf("no MongoDB can be had:\n    %s\n    put mongod on PATH, start Docker, install Node.js 20 or newer with npm, or set PLUMBLINE_TEST_MONGODB_URL to a server whose databases may be created and dropped",
		strings.Join(reasons, "\n    "))
}

func startMongod(ctx context.Context, h *host) (endpoint, error) {
	mongod, err := exec.LookPath("mongod")
	if err != nil {
		return endpoint{}, err
	}
	as := unprivileged("mongodb")
	home, err := h.home("mongodb", as)
	if err != nil {
		return endpoint{}, err
	}
	address, version, err := h.launchOnFreePort(ctx, func(port string) launch {
		return launch{
			name: "mongod", as: as, dir: home,
			argv: []string{mongod, "--dbpath", home, "--port", port, "--bind_ip", "127.0.0.1", "--nounixsocket"},
			quit: syscall.SIGKILL, // its data is thrown away
		}
	}, mongoVersion)
	if err != nil {
		return endpoint{}, err
	}
	return mongoEndpoint(address, version, "PATH ("+mongod+")"), nil
}

func startMongoInDocker(ctx context.Context, h *host) (endpoint, error) {
	docker, err := exec.LookPath("docker")
	if err != nil {
		return endpoint{}, err
	}
	quick, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if _, err := h.run(quick, nil, h.dir, nil, docker, "info"); err != nil {
		return endpoint{}, errNotHere
	}
	home, err := h.home("docker", nil)
	if err != nil {
		return endpoint{}, err
	}
	container := filepath.Base(h.dir)
	address, version, err := h.launchOnFreePort(ctx, func(port string) launch {
		return launch{
			name: "docker", dir: home,
			argv: []string{docker, "run", "--rm", "--name", container, "-p", "127.0.0.1:" + port + ":27017", dockerImage},
			// Docker passes it on to the server, and the container goes with it.
			quit:   syscall.SIGTERM,
			within: 5 * time.Minute, // the image may have to come first
			cleanup: func() {
				// Finds something only where the container did not stop by itself.
				ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
				defer cancel()
				_ = exec.CommandContext(ctx, docker, "rm", "--force", container).Run()
			},
		}
	}, mongoVersion)
	if err != nil {
		return endpoint{}, err
	}
	return mongoEndpoint(address, version, "Docker ("+dockerImage+")"), nil
}

func mongoEndpoint(address, version, origin string) endpoint {
	return endpoint{url: "mongodb://" + address + "/?directConnection=true", version: version, origin: origin}
}

// mongoVersion asks the server for its version. It fails as long as the server
// does not take commands.
func mongoVersion(ctx context.Context, address string) (string, error) {
	conn, err := dialProbe(ctx, address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := conn.Write(buildInfoMessage()); err != nil {
		return "", err
	}
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return "", err
	}
	length := binary.LittleEndian.Uint32(size[:])
	if length < 16 || length > math.MaxUint16 {
		return "", errors.New("no MongoDB answers here")
	}
	reply := make([]byte, length-4)
	if _, err := io.ReadFull(conn, reply); err != nil {
		return "", err
	}
	return versionIn(reply)
}

// buildInfoMessage is an OP_MSG with the command {buildInfo: 1, $db: "admin"}.
func buildInfoMessage() []byte {
	const (
		opMsg      = 2013
		typeInt32  = "\x10"
		typeString = "\x02"
	)
	document := typeInt32 + "buildInfo\x00\x01\x00\x00\x00" + typeString + "$db\x00\x06\x00\x00\x00admin\x00" + "\x00"
	le := binary.LittleEndian
	message := le.AppendUint32(nil, uint32(16+4+1+4+len(document)))
	message = le.AppendUint32(message, 1) // request
	message = le.AppendUint32(message, 0) // in response to nothing
	message = le.AppendUint32(message, opMsg)
	message = le.AppendUint32(message, 0) // no flags
	message = append(message, 0)          // a section with one document
	message = le.AppendUint32(message, uint32(4+len(document)))
	return append(message, document...)
}

// versionIn answers the string field "version" of a reply to buildInfo.
func versionIn(reply []byte) (string, error) {
	_, rest, ok := strings.Cut(string(reply), "\x02version\x00")
	if !ok || len(rest) < 4 {
		return "", errors.New("the reply to buildInfo has no version")
	}
	version, _, ok := strings.Cut(rest[4:], "\x00")
	if !ok {
		return "", errors.New("the reply to buildInfo is cut off")
	}
	return version, nil
}
