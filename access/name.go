package access

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// LongestName bounds the name of an account or a token, in characters.
const LongestName = 64

// CommandName is how timelines and the audit log name a user of the operating
// system who uses a command.
func CommandName(user string) string { return user + commandMark }

const (
	commandMark = " (command)"
	tokenMark   = " (token "
	slackMark   = "slack user "
)

// TokenName is how timelines and the audit log name whoever comes by a token; the
// account is "" for a token that belongs to nobody.
func TokenName(account, token string) string {
	if account == "" {
		return "token " + token
	}
	return account + tokenMark + token + ")"
}

// SlackName is how the audit log names a user of Slack who is linked to no account.
func SlackName(person string) string { return slackMark + person }

// SamePerson says whether two are one person, as far as can be told: by their
// accounts, and where one has none by the names that CommandName and TokenName
// made of theirs.
func SamePerson(account, name, otherAccount, otherName string) bool {
	if account != "" && otherAccount != "" {
		return account == otherAccount
	}
	return bareName(name) == bareName(otherName)
}

// bareName is whose a name is, whichever way they came, folded.
func bareName(name string) string {
	name = strings.TrimSuffix(strings.TrimPrefix(FoldName(name), "token "), commandMark)
	if at := strings.LastIndex(name, tokenMark); at > 0 && strings.HasSuffix(name, ")") {
		name = name[:at]
	}
	return name
}

// CheckName returns a name as it is kept, and says what is wrong with one that
// somebody chose for an account: it can be read on a page, and is mistaken for
// nobody else.
func CheckName(name string) (kept string, err error) {
	if kept, err = CheckLabel(name); err != nil {
		return "", err
	}
	folded := FoldName(kept)
	switch {
	case folded == LocalUser, folded == "plumbline", strings.HasPrefix(folded, slackMark), strings.HasPrefix(folded, "token "),
		strings.HasSuffix(folded, commandMark), strings.Contains(folded, tokenMark):
		return "", errors.New("that name is kept for Plumbline's own words: choose another")
	}
	return kept, nil
}

// CheckLabel returns words that somebody chose as they are kept: 1 to 64 visible
// characters, with single spaces between words.
func CheckLabel(words string) (kept string, err error) {
	kept = norm.NFC.String(words)
	switch n := utf8.RuneCountInString(kept); {
	case !utf8.ValidString(kept):
		return "", errors.New("a name is written in UTF-8")
	case n == 0:
		return "", errors.New("a name has at least one character")
	case n > LongestName:
		return "", errors.New("a name has at most 64 characters")
	case strings.Join(strings.Fields(kept), " ") != kept:
		return "", errors.New("a name has no space at its ends, and single ones between its words")
	}
	for _, r := range kept {
		if !unicode.IsPrint(r) {
			return "", errors.New("a name has visible characters only")
		}
	}
	return kept, nil
}

// FoldName is what names are compared by: two that look alike but for case or
// width are the same.
func FoldName(name string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(strings.ToValidUTF8(name, "\uFFFD"))))
}
