package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"plumbline/checks"
	"plumbline/drift"
)

type junitSuites struct {
	XMLName  xml.Name      `xml:"testsuites"`
	Name     string        `xml:"name,attr"`
	Tests    int           `xml:"tests,attr"`
	Failures int           `xml:"failures,attr"`
	Errors   int           `xml:"errors,attr"`
	Skipped  int           `xml:"skipped,attr"`
	Time     string        `xml:"time,attr"`
	Suites   []*junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Time      string      `xml:"time,attr"`
	Timestamp string      `xml:"timestamp,attr"`
	Cases     []junitCase `xml:"testcase"`

	seconds float64
}

type junitCase struct {
	Name      string      `xml:"name,attr"`
	ClassName string      `xml:"classname,attr"`
	Time      string      `xml:"time,attr"`
	Failure   *junitWords `xml:"failure"`
	Error     *junitWords `xml:"error"`
	Skipped   *junitWords `xml:"skipped"`
}

type junitWords struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes a test suite per check and a test case per edge: drift is a
// failure, what could not run or was cancelled an error, incomplete is skipped.
func WriteJUnit(w io.Writer, runs []*Run) error {
	all := &junitSuites{Name: "plumbline"}
	seconds := 0.0
	var suite *junitSuite
	for _, run := range runs {
		if suite == nil || suite.Name != run.Check {
			suite = &junitSuite{Name: run.Check, Timestamp: run.StartedAt.String()}
			all.Suites = append(all.Suites, suite)
		}
		suite.add(run)
		seconds += run.Duration
	}
	for _, s := range all.Suites {
		s.Time = fmt.Sprintf("%.3f", s.seconds)
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Errors += s.Errors
		all.Skipped += s.Skipped
	}
	all.Time = fmt.Sprintf("%.3f", seconds)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *junitSuite) add(run *Run) {
	c := junitCase{Name: run.Check + " in " + run.Replica, ClassName: run.Check, Time: fmt.Sprintf("%.3f", run.Duration)}
	words := &junitWords{Message: drift.Visible(Headline(run)), Type: string(run.Result), Text: strings.Join(details(run), "\n")}
	switch run.Result {
	case checks.Drift:
		c.Failure = words
		s.Failures++
	case checks.Error, checks.Cancelled:
		c.Error = words
		s.Errors++
	case checks.Incomplete:
		words.Type = ""
		c.Skipped = words
		s.Skipped++
	}
	s.Tests++
	s.seconds += run.Duration
	s.Cases = append(s.Cases, c)
}
