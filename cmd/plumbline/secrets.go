package main

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strings"

	"plumbline/configs"
	"plumbline/sources"
)

// secrets are texts that must not be shown. Adapters do not print them; this
// is for what drivers and servers put into their messages.
type secrets struct{ replacer *strings.Replacer }

// secretsOf gathers the addresses of all sources and of the ledger and what is
// secret in them, tokens and keys, in the spellings in which a message could hold it, besides
// those known before.
func secretsOf(config *configs.Config, known ...string) (secrets, []string) {
	all := append(slices.Clone(known), secretsIn(config.Ledger.Reveal())...)
	for _, s := range config.Sources {
		all = append(all, secretsIn(s.URL.Reveal())...)
		all = append(all, secretsIn(s.FixURL.Reveal())...)
	}
	for _, replicas := range config.Fixes {
		for _, policy := range replicas {
			if policy.Request != nil {
				all = append(all, secretsAsked(policy.Request.URL)...)
			}
		}
	}
	for _, secret := range wholeSecrets(config) {
		all = append(all, spellings(secret.Reveal())...)
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) }) // an address before the password in it
	all = slices.Compact(all)
	var pairs []string
	for _, text := range all {
		pairs = append(pairs, text, "***")
	}
	return secrets{strings.NewReplacer(pairs...)}, all
}

// wholeSecrets are texts of which nothing may be shown: tokens, keys, the
// headers of requests for fixes, and the addresses of webhooks, which let whoever
// knows them send.
func wholeSecrets(config *configs.Config) []sources.Secret {
	all := []sources.Secret{config.Access.AuditKey, config.Access.DataKey}
	if s := config.Alerts.Slack; s != nil {
		all = append(all, s.Token, s.SigningSecret, s.AppToken)
	}
	for _, w := range config.Alerts.Webhooks {
		all = append(all, w.URL, w.Secret)
	}
	for _, replicas := range config.Fixes {
		for _, policy := range replicas {
			if policy.Request != nil {
				all = slices.AppendSeq(all, maps.Values(policy.Request.Headers))
			}
		}
	}
	return all
}

// keep remembers what is secret in a configuration, and goes on to hide what was
// secret in those before: a driver may still tell of it.
func (c *cli) keep(config *configs.Config) {
	c.hiding.Lock()
	defer c.hiding.Unlock()
	c.secrets, c.hidden = secretsOf(config, c.hidden...)
}

func secretsIn(address string) []string {
	u, err := url.Parse(address)
	if err != nil { // what stands where a password would is taken for one
		all := spellings(address)
		if _, credentials, found := strings.Cut(address, "://"); found {
			at := max(0, strings.LastIndexByte(credentials, '@'))
			_, password, _ := strings.Cut(credentials[:at], ":")
			all = append(all, spellings(password)...)
		}
		return all
	}
	var all []string
	known := []string{u.Scheme, strings.Trim(u.Path, "/")}
	if u.User != nil {
		known = append(known, u.User.Username())
		password, _ := u.User.Password()
		if password != "" {
			all = append(all, address) // an address without secrets is shown, as a file's path is
		}
		if !slices.Contains(known, password) { // hiding each "postgres" would hide what a message says
			all = append(all, spellings(password)...)
		}
	}
	for name, values := range u.Query() {
		for _, word := range []string{"pass", "secret", "token", "key"} {
			if strings.Contains(strings.ToLower(name), word) {
				all = append(all, address)
				for _, value := range values {
					all = append(all, spellings(value)...)
				}
				break
			}
		}
	}
	return all
}

// secretsAsked are the parts of a request's address whose names say that they are
// secret, but for those that a record fills.
func secretsAsked(address string) (all []string) {
	u, err := url.Parse(address)
	if err != nil {
		return nil // which no template is that was taken
	}
	for name, values := range u.Query() {
		name = strings.ToLower(name)
		secret := slices.ContainsFunc([]string{"pass", "secret", "token", "api_key", "api-key", "apikey", "access_key", "signature"}, func(word string) bool { return strings.Contains(name, word) })
		for _, value := range values {
			if secret && !strings.Contains(value, "{") {
				all = append(all, spellings(value)...)
			}
		}
	}
	return all
}

// spellings are a text as it is, and as addresses write it. One of fewer than
// four characters hides nothing and would be found in every message.
func spellings(text string) []string {
	if len(text) < 4 {
		return nil
	}
	return []string{text, url.QueryEscape(text), url.PathEscape(text), strings.TrimPrefix(url.UserPassword("", text).String(), ":")}
}

// scrub takes secrets out of a message. It is safe for many goroutines.
func (c *cli) scrub(text string) string {
	c.hiding.RLock()
	replacer := c.secrets.replacer
	c.hiding.RUnlock()
	if replacer == nil {
		return text
	}
	return replacer.Replace(text)
}
