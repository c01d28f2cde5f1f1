package main

import (
	"encoding/binary"
	"strconv"
	"strings"
	"testing"
)

func TestPostgresIsReadyOnceItTakesQueries(t *testing.T) {
	t.Parallel()
	message := func(kind byte, body string) string {
		return string(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))) + body
	}
	greeting := message('R', "\x00\x00\x00\x00") + message('S', "TimeZone\x00UTC\x00") +
		message('S', "server_version\x0015.4 (Debian 15.4-1)\x00")
	if got, err := readPostgresVersion(strings.NewReader(greeting + message('Z', "I"))); got != "15.4" || err != nil {
		t.Errorf("got %q, %v, want 15.4", got, err)
	}
	for name, answer := range map[string]string{
		"cut off":          greeting,
		"starting up":      message('E', "SFATAL\x00C57P03\x00Mthe database system is starting up\x00\x00"),
		"some other thing": "HTTP/1.1 400 Bad Request\r\n\r\n",
	} {
		if got, err := readPostgresVersion(strings.NewReader(answer)); err == nil {
			t.Errorf("%s: got %q and no error", name, got)
		}
	}
	startup := postgresStartup("u", "d")
	if want := "\x00\x00\x00\x1b\x00\x03\x00\x00user\x00u\x00database\x00d\x00\x00"; string(startup) != want {
		t.Errorf("startup message is %q, want %q", startup, want)
	}
}

func TestMongoVersionComesFromBuildInfo(t *testing.T) {
	t.Parallel()
	message := buildInfoMessage()
	if int(binary.LittleEndian.Uint32(message)) != len(message) {
		t.Errorf("message says %d bytes, has %d", binary.LittleEndian.Uint32(message), len(message))
	}
	if document := message[21:]; int(binary.LittleEndian.Uint32(document)) != len(document) {
		t.Errorf("document says %d bytes, has %d", binary.LittleEndian.Uint32(document), len(document))
	}
	if got, err := versionIn([]byte("…\x02version\x00\x06\x00\x00\x007.0.5\x00\x02gitVersion\x00…")); got != "7.0.5" || err != nil {
		t.Errorf("got %q, %v, want 7.0.5", got, err)
	}
	for _, reply := range []string{"", "\x02version\x00", "\x02version\x00\x06\x00\x00\x007.0"} {
		if got, err := versionIn([]byte(reply)); err == nil {
			t.Errorf("%q: got %q and no error", reply, got)
		}
	}
}

func TestMySQLIsReadyOnceItGreets(t *testing.T) {
	t.Parallel()
	packet := func(body string) string {
		return string(binary.LittleEndian.AppendUint32(nil, uint32(len(body)))[:3]) + "\x00" + body
	}
	for greeting, want := range map[string]string{
		packet("\x0a5.5.5-10.11.6-MariaDB-0+deb12u1\x00\x01\x00\x00\x00"): "10.11.6-MariaDB-0+deb12u1",
		packet("\x0a8.4.3\x00\x01\x00\x00\x00"):                           "8.4.3",
		packet("\xff\x10\x04Too many connections"):                        "",
		packet("\x0a8.4.3"):                                               "",
		packet("\x0a8.4.3\x00")[:6]:                                       "",
		packet(""):                                                        "",
		"":                                                                "",
	} {
		if got, err := readMySQLGreeting(strings.NewReader(greeting)); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", greeting, got, err, want)
		}
	}
}

func TestRedisVersionComesFromInfo(t *testing.T) {
	t.Parallel()
	info := "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n"
	for reply, want := range map[string]string{
		"$" + strconv.Itoa(len(info)) + "\r\n" + info + "\r\n": "7.0.15",
		"$999\r\n" + info: "",
		"$4\r\nnone\r\n":  "",
		"-LOADING Redis is loading the dataset\r\n": "",
		"$99999999999\r\n":                          "",
		"":                                          "",
	} {
		if got, err := readRedisVersion(strings.NewReader(reply)); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", reply, got, err, want)
		}
	}
}
