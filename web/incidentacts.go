package web

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"plumbline/access"
)

// incidentRoutes adds the pages of incidents and what is done on them, and the
// muting of checks.
func (s *Server) incidentRoutes(r *routes) {
	r.reads("/incidents", access.View, s.getIncidents)
	r.reads("/incidents/:id", access.View, s.getIncident)
	r.reads("/i/:id", access.View, func(c *gin.Context) { c.Redirect(http.StatusFound, incidentURL(c.Param("id"))) })
	r.reads("/i/:id/fix", access.View, func(c *gin.Context) { c.Redirect(http.StatusFound, incidentURL(c.Param("id"))+"#fix") })
	r.acts("/incidents/:id/ack", access.Act, "acknowledge", s.ackIncident)
	r.acts("/incidents/:id/recheck", access.Act, "re-check", s.recheckIncident)
	r.acts("/incidents/:id/mute", access.Act, "mute", func(c *gin.Context) { s.muteIncident(c, s.muteCheck) })
	r.acts("/incidents/:id/unmute", access.Act, "unmute", func(c *gin.Context) { s.muteIncident(c, s.unmuteCheck) })
	r.acts("/checks/:name/mute", access.Act, "mute", func(c *gin.Context) { s.muteCheck(c, c.Param("name"), checkURL(c.Param("name"))) })
	r.acts("/checks/:name/unmute", access.Act, "unmute", func(c *gin.Context) { s.unmuteCheck(c, c.Param("name"), checkURL(c.Param("name"))) })
}

func (s *Server) ackIncident(c *gin.Context) {
	id := c.Param("id")
	// What is no number is no revision that anybody saw, and 0 would be any.
	revision, err := strconv.ParseInt(c.PostForm("revision"), 10, 64)
	if err != nil || revision <= 0 {
		s.problem(c, http.StatusBadRequest, problem{Heading: "This cannot be done", Text: "acknowledge without the revision that was seen",
			Next: "Go back to the incident and use its buttons.", Links: []pageLink{{id, incidentURL(id)}}})
		return
	}
	if _, err := s.o.Desk.Acknowledge(c.Request.Context(), id, revision, c.PostForm("note")); err != nil {
		s.refused(c, err, incidentURL(id))
		return
	}
	c.Redirect(http.StatusSeeOther, incidentURL(id)+"?said=ack")
}

func (s *Server) recheckIncident(c *gin.Context) {
	id := c.Param("id")
	if s.idle(c) {
		return
	}
	if _, err := s.o.Desk.Recheck(c.Request.Context(), id); err != nil {
		s.refused(c, err, incidentURL(id))
		return
	}
	c.Redirect(http.StatusSeeOther, incidentURL(id)+"?said=run")
}

// muteIncident does to an incident's check what a button of its page asks for.
func (s *Server) muteIncident(c *gin.Context, do func(c *gin.Context, check, back string)) {
	id := c.Param("id")
	i, err := s.ledger.Incident(c.Request.Context(), id)
	if err != nil {
		s.refused(c, err, "/incidents")
		return
	}
	do(c, i.Check, incidentURL(id))
}

func (s *Server) muteCheck(c *gin.Context, check, back string) {
	until, grows, err := muteEnd(c.PostForm("until"), s.now())
	if err != nil {
		s.problem(c, http.StatusBadRequest, problem{Heading: "This cannot be done", Text: err.Error(), Next: "Go back and use the buttons.", Links: []pageLink{{"Back", back}}})
		return
	}
	if _, err := s.o.Desk.Mute(c.Request.Context(), check, until, grows, c.PostForm("reason")); err != nil {
		s.refused(c, err, back)
		return
	}
	c.Redirect(http.StatusSeeOther, back+"?said=mute")
}

func (s *Server) unmuteCheck(c *gin.Context, check, back string) {
	if err := s.o.Desk.Unmute(c.Request.Context(), check); err != nil {
		s.refused(c, err, back)
		return
	}
	c.Redirect(http.StatusSeeOther, back+"?said=unmute")
}
