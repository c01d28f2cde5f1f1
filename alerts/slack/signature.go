package slack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// signatureHolds is how far a request's time may lie from ours, either way.
const signatureHolds = 5 * time.Minute

// signed says whether a request was signed with the secret about now: over its
// time and its body as it came, to the byte. id is the same for the same signed
// request, however its header is written. Nothing that was computed leaves it, so
// that none can come into a log.
func signed(secret string, header http.Header, body []byte, now time.Time) (id []byte, ok bool) {
	if secret == "" {
		return nil, false
	}
	stamp := header.Get("X-Slack-Request-Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > signatureHolds {
		return nil, false
	}
	given, found := strings.CutPrefix(header.Get("X-Slack-Signature"), "v0=")
	if !found {
		return nil, false
	}
	sum, err := hex.DecodeString(given)
	if err != nil {
		return nil, false
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("v0:" + stamp + ":"))
	mac.Write(body)
	if !hmac.Equal(sum, mac.Sum(nil)) {
		return nil, false
	}
	taken := sha256.Sum256(append([]byte("signed "), sum...)) // the signature is of the time and the body
	return taken[:], true
}
