package terminal

import (
	"io"
	"plumbline/drift"
	"strings"
)

// Pad fills s with spaces to width columns.
func Pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-drift.Width(s)))
}

// Table is rows of cells, aligned when written. Cells must be visible text;
// Style may then colour a cell without moving the columns.
type Table struct {
	rows [][]cell
}

type cell struct {
	text  string
	style func(string) string
}

// Row adds a row.
func (t *Table) Row(texts ...string) {
	row := make([]cell, len(texts))
	for i, text := range texts {
		row[i].text = text
	}
	t.rows = append(t.rows, row)
}

// Style colours column i of the row added last.
func (t *Table) Style(i int, style func(string) string) {
	t.rows[len(t.rows)-1][i].style = style
}

// WriteTo writes the rows with two spaces between columns and none at the ends of lines.
func (t *Table) WriteTo(w io.Writer) (int64, error) {
	var widths []int
	for _, row := range t.rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], drift.Width(c.text))
		}
	}
	var b strings.Builder
	for _, row := range t.rows {
		last := len(row) - 1
		for last > 0 && row[last].text == "" {
			last--
		}
		for i, c := range row[:last+1] {
			text := c.text
			if c.style != nil {
				text = c.style(text)
			}
			b.WriteString(text)
			if i < last {
				b.WriteString(strings.Repeat(" ", widths[i]-drift.Width(c.text)+2))
			}
		}
		b.WriteByte('\n')
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}
