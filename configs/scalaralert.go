package configs

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
	"unicode"
)

// noChannel is the channel of a check that Slack is not told of.
const noChannel = "none"

// channel wants a Slack channel, by name or by id.
func channel() scalar {
	s := text(`a channel such as "#data", in quotes`)
	return s.also(func(w written) error {
		if err := checkChannel(w.text); err != nil {
			return &refusal{message: fmt.Sprintf("channel %s %v", w.shown(), err)}
		}
		return nil
	})
}

// channelOrNone wants a Slack channel, or none.
func channelOrNone() scalar {
	s := channel()
	named := s.parse
	s.parse = func(w written) (any, error) {
		if w.text == noChannel {
			return noChannel, nil
		}
		return named(w)
	}
	return s
}

// checkChannel refuses what Slack would not find.
func checkChannel(s string) error {
	name, named := strings.CutPrefix(s, "#")
	const most = 80 // characters, which Slack allows
	switch {
	case !named && slackID(s, "CG"):
		return nil
	case !named:
		return fmt.Errorf("is refused: write a name such as \"#data\" in quotes, or an id such as C0123456789")
	case name == "" || len([]rune(name)) > most:
		return fmt.Errorf("is refused: a name has 1 to %d characters", most)
	case strings.ToLower(name) != name:
		return fmt.Errorf("is refused: names of channels have no capitals")
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_' }):
		return fmt.Errorf("is refused: names of channels hold letters, digits, hyphens and underscores")
	}
	return nil
}

// slackID says whether s is an id of Slack's that begins with one of kinds.
func slackID(s, kinds string) bool {
	return len(s) > 2 && len(s) <= 32 && strings.Contains(kinds, s[:1]) && only(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
}

// mention wants the id of a Slack user or user group.
func mention() scalar {
	return scalar{words: "the id of a Slack user (U…) or user group (S…)", editor: object{"type": "string", "pattern": `^[UWS][A-Z0-9]{2,31}$`},
		parse: func(w written) (any, error) {
			if !slackID(w.text, "UWS") {
				return nil, errUnwanted
			}
			return w.text, nil
		}}
}

// slackToken wants a token of Slack's of one kind; it becomes a sources.Secret.
func slackToken(prefix, words string) scalar {
	s := secret(words)
	s.words = words + ", which begins with " + prefix
	return s.also(func(w written) error {
		if !strings.HasPrefix(w.text, prefix) {
			return &refusal{message: fmt.Sprintf("is no such token: %s begins with %s", words, prefix)}
		}
		return nil
	})
}

// longSecret wants a secret that nobody guesses; it becomes a sources.Secret.
func longSecret() scalar {
	const least = 16
	words := fmt.Sprintf("a secret of at least %d characters", least)
	s := secret(words)
	return s.also(func(w written) error {
		if len(w.text) < least {
			return &refusal{message: fmt.Sprintf("is too short to sign with: use at least %d characters, such as openssl rand -hex 32 writes", least)}
		}
		return nil
	})
}

// webhookAddress wants where a webhook is sent; it becomes a sources.Secret.
func webhookAddress() scalar {
	s := secret("an address such as https://pager.example.com/hook")
	return s.also(func(w written) error {
		u, err := url.Parse(w.text)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
			return &refusal{message: "wants an address such as https://pager.example.com/hook"}
		}
		return nil
	})
}

// pattern wants the name of a check, in which * stands for any letters.
func pattern() scalar {
	s := text("the name of a check, in which * may stand for any letters")
	return s.also(func(w written) error {
		if _, err := path.Match(w.text, ""); err != nil {
			return &refusal{message: fmt.Sprintf("%s is no name or pattern: write names such as basket-*", w.shown())}
		}
		return nil
	})
}

// clock wants a time of the day.
func clock() scalar {
	return scalar{words: `a time of the day such as "09:00"`, editor: object{"type": "string", "pattern": `^([01][0-9]|2[0-3]):[0-5][0-9]$`},
		parse: func(w written) (any, error) {
			hour, minute, found := strings.Cut(w.text, ":")
			if !found || len(hour) != 2 || len(minute) != 2 || !only(hour+minute, "0123456789") || hour > "23" || minute > "59" {
				return nil, errUnwanted
			}
			return w.text, nil
		}}
}

// hostPort wants a host and a port to listen on.
func hostPort() scalar {
	s := text("a host and a port, such as 127.0.0.1:8080")
	return s.also(func(w written) error {
		host, port, err := net.SplitHostPort(w.text)
		if err != nil || strings.ContainsAny(host, " /@") {
			return errUnwanted
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return errUnwanted
		}
		return nil
	})
}

// network wants an address or a range of addresses, which becomes a netip.Prefix.
func network() scalar {
	s := text("an address or a range such as 10.0.0.0/8")
	s.parse = func(w written) (any, error) {
		if ip, err := netip.ParseAddr(w.text); err == nil && ip.Zone() == "" {
			return netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()), nil
		}
		prefix, err := netip.ParsePrefix(w.text)
		switch {
		case err != nil:
			return nil, errUnwanted
		case prefix.Addr().Is4In6():
			return nil, &refusal{message: fmt.Sprintf("%s is an IPv4 range in the form of IPv6: write it as IPv4", w.shown())}
		case prefix.Masked() != prefix:
			return nil, &refusal{message: fmt.Sprintf("%s has bits set behind its length: write %s", w.shown(), prefix.Masked())}
		case prefix.Bits() == 0:
			return nil, &refusal{message: "trusts everybody, who could then come from any address they like: name the proxies"}
		}
		return prefix, nil
	}
	return s
}
