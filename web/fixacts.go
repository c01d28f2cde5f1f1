package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"plumbline/access"
	"plumbline/auditor"
	"plumbline/reconciler"
)

// fixRoutes adds the pages of plans and what is done on them.
func (s *Server) fixRoutes(r *routes) {
	r.reads("/fixes", access.View, s.getFixes)
	r.reads("/fixes/:id", access.View, s.getFix)
	r.reads("/fixes/:id/plan.json", access.View, s.getFixFile)
	r.acts("/fixes", access.Act, "draft fix", s.draftFix)
	r.acts("/fixes/:id/ask", access.Act, "ask approval", s.onFix("fix-ask", s.o.Desk.AskApproval))
	r.acts("/fixes/:id/approve", access.Approve, "approve fix", s.onFix("fix-approve", s.o.Desk.ApproveFix))
	r.acts("/fixes/:id/apply", access.Act, "apply fix", s.onFix("fix-apply", s.o.Desk.ApplyFix))
	r.acts("/fixes/:id/withdraw", access.Act, "withdraw fix", s.withdrawFix)
	r.acts("/fixes/:id/undo", access.Act, "undo fix", s.undoFix)
	r.acts("/fixes/:id/rehearse", access.Act, "rehearse fix", s.rehearseFix)
	r.acts("/freeze", access.Act, "freeze fixes", s.freezeFixes)
	r.acts("/unfreeze", access.Approve, "unfreeze fixes", s.unfreezeFixes)
	r.acts("/checks/:name/fixes/resume", access.Approve, "resume fixes", s.resumeFixes)
}

// onFix does to a plan what a button of its page asks for, to the plan of the
// hash that the page showed.
func (s *Server) onFix(said string, do func(ctx context.Context, id, hash string) (*reconciler.Plan, error)) gin.HandlerFunc {
	return func(c *gin.Context) {
		id, hash := c.Param("id"), c.PostForm("hash")
		if hash == "" {
			s.problem(c, http.StatusBadRequest, problem{Heading: "This cannot be done", Text: "The hash of the plan that was seen is missing.",
				Next: "Go back to the plan and use its buttons.", Links: []pageLink{{id, fixURL(id)}}})
			return
		}
		if _, err := do(c.Request.Context(), id, hash); err != nil {
			s.refused(c, err, fixURL(id))
			return
		}
		s.plans.forget()
		c.Redirect(http.StatusSeeOther, fixURL(id)+"?said="+said)
	}
}

// mostChosen is how many findings one plan may be asked for at once.
const mostChosen = 500

// draftFix drafts a plan from what a form chose: picked findings, all that a
// filter chooses, a pattern, or all open findings of a replica.
func (s *Server) draftFix(c *gin.Context) {
	ctx := c.Request.Context()
	r := auditor.FixRequest{Check: c.PostForm("check"), Replica: c.PostForm("replica"), Pattern: c.PostForm("pattern"), Findings: c.PostFormArray("id")}
	back := "/findings"
	if r.Check != "" {
		back = checkURL(r.Check)
	}
	if len(r.Findings) > 0 {
		r.Pattern, back = "", findingURL(r.Findings[0])
	} else if narrow(c) {
		f := findingFilter(c.PostForm)
		f.Limit = mostChosen
		list, next, err := s.ledger.Findings(ctx, f)
		if err != nil {
			s.refused(c, err, backToList(c))
			return
		}
		if len(list) == 0 || next != "" {
			s.problem(c, http.StatusConflict, problem{Heading: "This cannot be planned at once", Text: chosenWords(len(list), next != ""),
				Next: "Pick rows, or filter the list further, and plan again.", Links: []pageLink{{"Back to the list", backToList(c)}}})
			return
		}
		for _, found := range list {
			r.Findings = append(r.Findings, found.ID)
		}
		r.Pattern, back = "", backToList(c)
	}
	if err := mayChoose(ctx, &r); err != nil {
		s.refused(c, err, back)
		return
	}
	if len(r.Findings) == 0 && r.Check == "" {
		s.problem(c, http.StatusBadRequest, problem{Heading: "A plan is of one check", Text: "Neither a check nor a finding was chosen.",
			Next: "Pick rows, or filter the list by a check, and plan again.", Links: []pageLink{{"Findings", "/findings"}}})
		return
	}
	p, err := s.o.Desk.DraftFix(ctx, r)
	if err != nil {
		s.refused(c, unreadFor(ctx, err), back)
		return
	}
	s.plans.forget()
	c.Redirect(http.StatusSeeOther, fixURL(p.ID)+"?said=fix-drafted")
}

func chosenWords(n int, more bool) string {
	if more {
		return "The filter chooses more than " + exact(int64(n)) + " findings."
	}
	return "The filter chooses no finding."
}

// narrow says whether a form filters findings by more than a plan can be asked for.
func narrow(c *gin.Context) bool {
	return slices.ContainsFunc(filterFields(c), func(f option) bool {
		return f.Name != "check" && f.Name != "replica" && f.Name != "pattern" && !(f.Name == "state" && f.Value == "open")
	})
}

func (s *Server) withdrawFix(c *gin.Context) {
	id := c.Param("id")
	if _, err := s.o.Desk.WithdrawFix(c.Request.Context(), id, c.PostForm("reason")); err != nil {
		s.refused(c, err, fixURL(id))
		return
	}
	s.plans.forget()
	c.Redirect(http.StatusSeeOther, fixURL(id)+"?said=fix-withdraw")
}

func (s *Server) undoFix(c *gin.Context) {
	id := c.Param("id")
	p, err := s.o.Desk.UndoFix(c.Request.Context(), id)
	if err != nil {
		s.refused(c, unreadFor(c.Request.Context(), err), fixURL(id))
		return
	}
	s.plans.forget()
	c.Redirect(http.StatusSeeOther, fixURL(p.ID)+"?said=fix-undo")
}

// rehearseFix shows what applying a plan now would come to. Nothing is changed by it.
func (s *Server) rehearseFix(c *gin.Context) {
	ctx := c.Request.Context()
	m, ok := s.fixMemory(c, false)
	if !ok {
		return
	}
	items, err := s.o.Desk.RehearseFix(ctx, m.plan.ID)
	if err != nil {
		s.refused(c, unreadFor(ctx, err), fixURL(m.plan.ID))
		return
	}
	m.rehearsed = scrubbedItems(shownItems(ctx, items), s.o.Lens.Scrub)
	if m.rehearsed == nil {
		m.rehearsed = []reconciler.Item{}
	}
	v := fixPage(s.o.Declared(), m, access.ActorOf(ctx), url.Values{}, s.now())
	v.Page = s.frame(c, v.ID+" rehearsed", "/fixes") // which stands: it is not fetched anew
	s.render(c, http.StatusOK, "fix", v)
}

// getFixFile is a plan with all its items, to be kept or reviewed elsewhere.
func (s *Server) getFixFile(c *gin.Context) {
	m, ok := s.fixMemory(c, false)
	if !ok {
		return
	}
	items, err := s.ledger.allItems(c.Request.Context(), m.plan.ID)
	if err != nil {
		s.broken(c, err)
		return
	}
	c.Header("Content-Disposition", `attachment; filename="plan-`+m.plan.ID+`.json"`)
	c.IndentedJSON(http.StatusOK, FixFileBody{FixBody: NewFixBody(m.plan), PlanItems: NewFixItemBodies(scrubbedItems(items, s.o.Lens.Scrub))})
}

func (s *Server) freezeFixes(c *gin.Context) {
	check := c.PostForm("check")
	if check != "" && s.o.Declared().Check(check) == nil {
		s.problem(c, http.StatusNotFound, problem{Heading: "There is no check of this name", Text: check, Next: "Go back, and choose one of the list.", Links: []pageLink{{"Fixes", "/fixes"}}})
		return
	}
	if err := s.o.Desk.FreezeFixes(c.Request.Context(), check, c.PostForm("reason")); err != nil {
		s.refused(c, err, "/fixes")
		return
	}
	s.freezes.forget()
	c.Redirect(http.StatusSeeOther, "/fixes?said=freeze")
}

func (s *Server) unfreezeFixes(c *gin.Context) {
	if err := s.o.Desk.UnfreezeFixes(c.Request.Context(), c.PostForm("check")); err != nil {
		s.refused(c, err, "/fixes")
		return
	}
	s.freezes.forget()
	c.Redirect(http.StatusSeeOther, "/fixes?said=unfreeze")
}

func (s *Server) resumeFixes(c *gin.Context) {
	if err := s.o.Desk.ResumeFixes(c.Request.Context(), c.Param("name")); err != nil {
		s.refused(c, err, "/fixes")
		return
	}
	c.Redirect(http.StatusSeeOther, "/fixes?said=fixes-resumed")
}
