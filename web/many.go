package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"plumbline/access"
	"plumbline/drift"
	"plumbline/ledger"
)

// confirmView asks before something acts on many findings.
type confirmView struct {
	Page                frame
	Heading, Text, More string
	Sample              []fact
	Ways                []confirmWay
	Back                string
}

type confirmWay struct {
	Name, Class, Action string
	Hidden              []option
	Until               []option
}

// countAtMost is how far findings are counted before a person is asked.
const countAtMost = 5000

// confirmMany asks before an act on the picked findings, or on all that match.
func (s *Server) confirmMany(c *gin.Context) {
	act := c.PostForm("act")
	verb := map[string]string{"ack": "Acknowledge", "mute": "Mute"}[act]
	if verb == "" {
		s.problem(c, http.StatusBadRequest, problem{Heading: "This cannot be done to many", Text: act, Next: "Go back to the list and use its buttons."})
		return
	}
	v := confirmView{Back: backToList(c)}
	ids := c.PostFormArray("id")
	var until []option
	if act == "mute" {
		until = muteChoices()
	}
	if len(ids) > 0 {
		picked := []option{{Value: act, Name: "act"}}
		for _, id := range ids {
			picked = append(picked, option{Value: id, Name: "id"})
			if len(v.Sample) < 10 {
				v.Sample = append(v.Sample, fact{Name: id})
			}
		}
		if more := len(ids) - len(v.Sample); more > 0 {
			v.More = fmt.Sprintf("and %d more", more)
		}
		v.Ways = append(v.Ways, confirmWay{Action: "/findings/many/do", Name: verb + " these " + several(int64(len(ids)), "finding", "findings"), Class: "main", Hidden: append(picked, filterFields(c)...), Until: until})
		v.Heading = fmt.Sprintf("%s %s?", verb, several(int64(len(ids)), "finding", "findings"))
	} else {
		n, whole, err := s.count(c.Request.Context(), findingFilter(c.PostForm))
		if err != nil {
			s.refused(c, err, "/findings")
			return
		}
		count := several(n, "finding", "findings")
		if !whole {
			count = "more than " + count
		}
		v.Heading = fmt.Sprintf("%s all that match: %s?", verb, count)
		v.Text = "No row was picked, so this is about every finding that the filter chooses, on all pages of the list."
		for _, f := range filterFields(c) {
			v.Sample = append(v.Sample, fact{Name: f.Name, Text: f.Value})
		}
		if len(v.Sample) == 0 {
			v.Sample = []fact{{Name: "no filter", Text: "every open finding"}}
		}
		v.Ways = append(v.Ways, confirmWay{Action: "/findings/many/do", Name: verb + " " + count, Class: "danger", Hidden: append([]option{{Value: act, Name: "act"}, {Value: "1", Name: "all"}}, filterFields(c)...), Until: until})
	}
	v.Page = s.frame(c, v.Heading, "/findings")
	s.render(c, http.StatusOK, "confirm", v)
}

func (s *Server) actOnMany(c *gin.Context) {
	act := c.PostForm("act")
	call(c, act)
	o, err := s.observation(c, act)
	if err != nil {
		s.problem(c, http.StatusBadRequest, problem{Heading: "This cannot be done", Text: err.Error(), Next: "Go back to the list and use its buttons."})
		return
	}
	n := int64(0)
	if c.PostForm("all") != "" {
		n, err = s.ledger.ActAll(c.Request.Context(), findingFilter(c.PostForm), o)
	} else {
		var changed []*drift.Finding
		changed, err = s.ledger.Act(c.Request.Context(), c.PostFormArray("id"), o, 0)
		n = int64(len(changed))
	}
	if err != nil {
		s.refused(c, err, backToList(c))
		return
	}
	back, _ := url.Parse(backToList(c))
	c.Redirect(http.StatusSeeOther, with("/findings", back.Query(), "said", fmt.Sprintf("%s-many.%d", act, n)))
}

// filterFields are the filter's fields as a form sent them.
func filterFields(c *gin.Context) []option {
	var fields []option
	for _, name := range filterNames() {
		if value := c.PostForm(name); value != "" {
			fields = append(fields, option{Value: value, Name: name})
		}
	}
	return fields
}

func backToList(c *gin.Context) string {
	query := url.Values{}
	for _, f := range filterFields(c) {
		query.Set(f.Name, f.Value)
	}
	return with("/findings", query, "after", "")
}

// count counts what a filter chooses, up to a bound; whole is false beyond it.
func (s *Server) count(ctx context.Context, f ledger.FindingFilter) (n int64, whole bool, err error) {
	f.Limit = 500
	for {
		list, next, err := s.ledger.Findings(ctx, f)
		if err != nil {
			return 0, false, err
		}
		n += int64(len(list))
		if next == "" {
			return n, true, nil
		}
		if n >= countAtMost {
			return n, false, nil
		}
		f.After = next
	}
}

// acceptBaseline takes what drifts in a check today as known, once asked and told how much.
func (s *Server) acceptBaseline(c *gin.Context) {
	name := c.Param("name")
	check := s.o.Declared().Check(name)
	if check == nil {
		s.problem(c, http.StatusNotFound, problem{Heading: "There is no check of this name", Text: name, Next: "It may have been taken out of the configuration."})
		return
	}
	if c.PostForm("sure") != "" {
		n, err := s.ledger.AcceptBaseline(c.Request.Context(), name, access.ActorOf(c.Request.Context()).Name, "")
		if err != nil {
			s.refused(c, err, checkURL(name))
			return
		}
		c.Redirect(http.StatusSeeOther, fmt.Sprintf("%s?said=baseline.%d", checkURL(name), n))
		return
	}
	edges, err := s.ledger.Edges(c.Request.Context())
	if err != nil {
		s.broken(c, err)
		return
	}
	open := int64(0)
	for i := range edges {
		if edges[i].Check == name {
			open += edges[i].OpenFindings()
		}
	}
	count := several(open, "finding", "findings")
	v := confirmView{Heading: "Take " + count + " of " + name + " as known?", Back: checkURL(name),
		Text: "They stay open and are read again by every run, and they are no news any more: what begins to drift from now on stands out. A finding that is resolved and comes back is news again.",
		Ways: []confirmWay{{Name: "Accept " + count, Class: "main", Action: checkURL(name) + "/baseline", Hidden: []option{{Value: "1", Name: "sure"}}}}}
	v.Page = s.frame(c, "Accept today's drift", "/")
	s.render(c, http.StatusOK, "confirm", v)
}
