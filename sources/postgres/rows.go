package postgres

import "encoding/binary"

// textStatement is a catalogue query: its parameters and results are texts.
func textStatement(query string, params []string) *statement {
	st := &statement{text: query}
	for _, p := range params {
		st.params = append(st.params, param{text: p})
	}
	return st
}

// texts returns the rows of a result in text format, null as "".
func (r *result) texts() [][]string {
	rows := make([][]string, len(r.ends))
	start := 0
	for i, end := range r.ends {
		for row := r.data[start:end]; len(row) > 0; {
			var column []byte
			column, row, _ = cutColumn(row)
			rows[i] = append(rows[i], string(column))
		}
		start = end
	}
	return rows
}

// cutColumn takes the first column off a row; null is true where it has no value.
func cutColumn(row []byte) (column, rest []byte, null bool) {
	n := int32(binary.BigEndian.Uint32(row))
	if n < 0 {
		return nil, row[4:], true
	}
	return row[4 : 4+n], row[4+n:], false
}
