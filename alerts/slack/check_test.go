package slack

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"plumbline/alerts/slack/slacktest"
)

// Each limit, one past it: our check and the local Slack, which share nothing,
// both refuse.
func TestCheckRefusesWhatSlackRefuses(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n) }
	texts := func(n int) []*slack.TextBlockObject {
		list := make([]*slack.TextBlockObject, n)
		for i := range list {
			list[i] = marked("x")
		}
		return list
	}
	button := func(id, label, value string) *slack.ButtonBlockElement {
		return slack.NewButtonBlockElement(id, value, plainText(label))
	}
	buttons := func(n int) slack.Block {
		var list []slack.BlockElement
		for i := range n {
			list = append(list, button(fmt.Sprint("b", i), "x", "v"))
		}
		return slack.NewActionBlock("", list...)
	}
	choices := func(n int, label, value string) slack.Block {
		var list []*slack.OptionBlockObject
		for range n {
			list = append(list, slack.NewOptionBlockObject(value, plainText(label), nil))
		}
		return slack.NewActionBlock("", slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plainText("x"), "s", list...))
	}
	contexts := func(n int) slack.Block {
		var list []slack.MixedElement
		for range n {
			list = append(list, plainText("x"))
		}
		return slack.NewContextBlock("", list...)
	}
	many := func(n int, b slack.Block) []slack.Block {
		list := make([]slack.Block, n)
		for i := range list {
			list[i] = b
		}
		return list
	}
	one := func(b slack.Block) []slack.Block { return []slack.Block{b} }
	for _, row := range []struct {
		name string
		good []slack.Block
		bad  []slack.Block
	}{
		{"blocks", many(50, slack.NewDividerBlock()), many(51, slack.NewDividerBlock())},
		{"header", one(slack.NewHeaderBlock(plainText(long(150)))), one(slack.NewHeaderBlock(plainText(long(151))))},
		{"header's kind", one(slack.NewHeaderBlock(plainText("x"))), one(slack.NewHeaderBlock(marked("x")))},
		{"section", one(slack.NewSectionBlock(marked(long(3000)), nil, nil)), one(slack.NewSectionBlock(marked(long(3001)), nil, nil))},
		{"empty section", one(slack.NewSectionBlock(marked("x"), nil, nil)), one(slack.NewSectionBlock(nil, nil, nil))},
		{"empty text", one(slack.NewSectionBlock(marked("x"), nil, nil)), one(slack.NewSectionBlock(marked(""), nil, nil))},
		{"fields", one(slack.NewSectionBlock(nil, texts(10), nil)), one(slack.NewSectionBlock(nil, texts(11), nil))},
		{
			"field", one(slack.NewSectionBlock(nil, []*slack.TextBlockObject{marked(long(2000))}, nil)),
			one(slack.NewSectionBlock(nil, []*slack.TextBlockObject{marked(long(2001))}, nil)),
		},
		{"context", one(contexts(10)), one(contexts(11))},
		{"no context", one(contexts(1)), one(contexts(0))},
		{"actions", one(buttons(25)), one(buttons(26))},
		{"action_id", one(slack.NewActionBlock("", button(long(255), "x", "v"))), one(slack.NewActionBlock("", button(long(256), "x", "v")))},
		{"no action_id", one(buttons(1)), one(slack.NewActionBlock("", button("", "x", "v")))},
		{
			"action_id twice", one(slack.NewActionBlock("", button("a", "x", "v"), button("b", "x", "v"))),
			one(slack.NewActionBlock("", button("a", "x", "v"), button("a", "x", "v"))),
		},
		{"button", one(slack.NewActionBlock("", button("a", long(75), "v"))), one(slack.NewActionBlock("", button("a", long(76), "v")))},
		{"value", one(slack.NewActionBlock("", button("a", "x", long(2000)))), one(slack.NewActionBlock("", button("a", "x", long(2001))))},
		{"options", one(choices(100, "x", "v")), one(choices(101, "x", "v"))},
		{"option", one(choices(1, long(75), "v")), one(choices(1, long(76), "v"))},
		{"option's value", one(choices(1, "x", long(150))), one(choices(1, "x", long(151)))},
		{"rich text", lines([]line{{slack.NewRichTextSectionTextElement("x", nil)}}, nil), lines([]line{{slack.NewRichTextSectionTextElement("", nil)}}, nil)},
		{"all of it", many(3, slack.NewSectionBlock(marked(long(3000)), nil, nil)), many(5, slack.NewSectionBlock(marked(long(3000)), nil, nil))},
		{"hidden", one(slack.NewSectionBlock(plainText("x"), nil, nil)), one(slack.NewSectionBlock(plainText("x\u202ey"), nil, nil))},
		{"control", one(slack.NewSectionBlock(plainText("x\ny"), nil, nil)), one(slack.NewSectionBlock(plainText("x\x1by"), nil, nil))},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			for wrong, blocks := range map[bool][]slack.Block{false: row.good, true: row.bad} {
				document, err := json.Marshal(slack.Blocks{BlockSet: blocks})
				if err != nil {
					t.Fatal(err)
				}
				ours := Check(Message{Text: "x", Blocks: blocks})
				code, theirs := slacktest.Judge("x", document, nil)
				if (ours != nil) != wrong || (code != "") != wrong {
					t.Errorf("wrong %v: we say %v, Slack %q %q", wrong, ours, code, theirs)
				}
			}
		})
	}
	if Check(Message{Text: ""}) == nil || Check(Message{Text: long(4001)}) == nil || Check(Message{Text: long(4000)}) != nil {
		t.Error("the text's length is not checked")
	}
}

// What names somebody or leads somewhere passes only where it is allowed, and the
// local Slack sees the same.
func TestCheckRefusesPingsAndLinks(t *testing.T) {
	t.Parallel()
	const page, person, group = "https://p.example/a?b=1&c=2", "U0ONCALL", "S0ONCALL"
	section := func(s string) slack.Block { return slack.NewSectionBlock(marked(s), nil, nil) }
	loose := slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, "see http://p.example", false, false), nil, nil)
	words := func(e slack.RichTextSectionElement) slack.Block { return lines([]line{{e}}, nil)[0] }
	leading := slack.NewButtonBlockElement("a", "v", plainText("x"))
	leading.URL = page
	for _, row := range []struct {
		name    string
		block   slack.Block
		mention string
		links   []string
		fine    bool
	}{
		{"a link that is allowed", section(link(page, "x")), "", []string{page}, true},
		{"a link that is not", section(link(page, "x")), "", nil, false},
		{"a link that hides in a label", section("<" + escaped(page) + "|<!channel>>"), "", []string{page}, false},
		{"a person that is allowed", section(mention(person)), person, nil, true},
		{"a person that is not", section(mention(person)), "", nil, false},
		{"a group that is allowed", section(mention(group)), group, nil, true},
		{"another group", section("<!subteam^S0OTHER>"), group, nil, false},
		{"everybody", section("<!channel>"), "!channel", nil, false},
		{"here", section("<!here|x>"), person, nil, false},
		{"a date", section(when(sampleTime())), "", nil, true},
		{"a date that leads somewhere", section("<!date^1^{date}^https://evil.example|x>"), "", nil, false},
		{"escaped", section(escaped("<!channel> & <http://evil.example>")), "", nil, true},
		{"looks like an address", loose, "", nil, false},
		{"a button that is allowed", slack.NewActionBlock("", leading), "", []string{page}, true},
		{"a button that is not", slack.NewActionBlock("", leading), "", nil, false},
		{"rich: a person that is allowed", words(slack.NewRichTextSectionUserElement(person, nil)), person, nil, true},
		{"rich: a person that is not", words(slack.NewRichTextSectionUserElement(person, nil)), "", nil, false},
		{"rich: a group that is not", words(slack.NewRichTextSectionUserGroupElement(group)), "", nil, false},
		{"rich: everybody", words(slack.NewRichTextSectionBroadcastElement("channel")), "", nil, false},
		{"rich: a channel", words(slack.NewRichTextSectionChannelElement("C0", nil)), "", nil, false},
		{"rich: a link that is allowed", words(slack.NewRichTextSectionLinkElement(page, "x", nil)), "", []string{page}, true},
		{"rich: a link that is not", words(slack.NewRichTextSectionLinkElement(page, "x", nil)), "", nil, false},
		{"rich: only words", words(slack.NewRichTextSectionTextElement("<!channel> http://evil.example", nil)), "", nil, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := Message{Text: "x", Blocks: []slack.Block{row.block}, Mention: row.mention, Links: row.links}
			if err := Check(m); (err == nil) != row.fine {
				t.Errorf("we say %v", err)
			}
			document, err := json.Marshal(slack.Blocks{BlockSet: m.Blocks})
			if err != nil {
				t.Fatal(err)
			}
			said := slacktest.Message{Text: m.Text, Blocks: document}
			acts := append(slacktest.Pings(said), slacktest.Links(said)...)
			if !row.fine && len(acts) == 0 {
				t.Error("the local Slack sees nothing in it")
			}
			for _, act := range acts {
				if row.fine && act != row.mention && act != page {
					t.Errorf("the local Slack sees %q", act)
				}
			}
		})
	}
	for _, text := range []string{"<!channel>", "<https://evil.example|x>", "a < b", "&", mention(person)} {
		if Check(Message{Text: text}) == nil {
			t.Errorf("the text %q passes", text)
		}
	}
}

func TestWordsSayNumbersAsPeopleDo(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ got, want string }{
		{number(0), "0"},
		{number(999), "999"},
		{number(1000), "1,000"},
		{number(1_200_113), "1,200,113"},
		{number(-1234), "-1,234"},
		{number(-123), "-123"},
		{counted(1, "finding"), "1 finding"},
		{counted(2000, "finding"), "2,000 findings"},
		{share(0), "0 %"},
		{share(1), "100 %"},
		{share(0.99999), "99.9 %"},
		{share(0.992), "99.2 %"},
		{share(0.000343), "0.03 %"},
		{share(0.00001), "under 0.01 %"},
		{share(0.5), "50 %"},
		{share(math.NaN()), "0 %"},
		{clip("🍎🍎🍎", 5), "🍎🍎…"},
		{clip("abc", 3), "abc"},
		{visible("a\x00b", 10), `a\x00b`},
		{mention("U123ABC"), "<@U123ABC>"},
		{mention("S123ABC"), "<!subteam^S123ABC>"},
		{mention("!channel"), ""},
		{mention("U1> <!here"), ""},
		{web("https://a.example/b?c=1|2<3>"), "https://a.example/b?c=1%7C2%3C3%3E"},
		{web("javascript:alert(1)"), ""},
		{web("https://user:secret@a.example"), ""},
		{quiet("see https://evil.example and mailto:a@b", 99), "see https: //evil.example and mailto: a@b"},
	} {
		if row.got != row.want {
			t.Errorf("got %q, want %q", row.got, row.want)
		}
	}
}
