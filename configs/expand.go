package configs

import "strings"

// maxExpanded bounds one value with everything that ${…} brings in.
const maxExpanded = 64 << 10

// expand replaces ${NAME}, ${NAME:-default} and ${file:/path} in one value.
// $${ stands for ${ itself. What comes in is never looked at again, and never
// changes what is around the value.
func (r *reader) expand(n *node) (written, *Problem) {
	w := n.written
	var out strings.Builder
	for rest := w.text; ; {
		before, after, found := strings.Cut(rest, "${")
		if !found {
			out.WriteString(rest)
			break
		}
		if literal, escaped := strings.CutSuffix(before, "$"); escaped {
			out.WriteString(literal + "${")
			rest = after
			continue
		}
		reference, tail, closed := strings.Cut(after, "}")
		if !closed {
			p := n.problem("", "${ is never closed: add }, or write $${ to mean ${ itself")
			return w, &p
		}
		value, problem := r.lookUp(n, reference)
		if problem != nil {
			return w, problem
		}
		out.WriteString(before + value)
		if out.Len() > maxExpanded {
			p := n.problem("", "${%s} makes the value longer than %d bytes", shorten(reference), maxExpanded)
			return w, &p
		}
		w.expanded, rest = true, tail
	}
	w.text = out.String()
	return w, nil
}

func (r *reader) lookUp(n *node, reference string) (string, *Problem) {
	refuse := func(format string, args ...any) (string, *Problem) {
		p := n.problem("", format, args...)
		return "", &p
	}
	if path, file := strings.CutPrefix(reference, "file:"); file {
		if !strings.HasPrefix(path, "/") {
			return refuse("${%s}: write the file's whole path, from / on", shorten(reference))
		}
		content, err := r.readFile(path)
		if err != nil {
			return refuse("${%s}: %v", shorten(reference), err)
		}
		if line, ended := strings.CutSuffix(string(content), "\n"); ended {
			return strings.TrimSuffix(line, "\r"), nil
		}
		return string(content), nil
	}
	name, fallback, hasFallback := strings.Cut(reference, ":-")
	switch {
	case strings.Contains(reference, "${"):
		return refuse("${…} inside ${…} is not supported: set the variable to the whole value")
	case !variableName(name):
		return refuse("${%s} names no variable: write ${NAME}, ${NAME:-default}, ${file:/path}, or $${ to mean ${ itself", shorten(reference))
	}
	value, set := r.env(name)
	switch {
	case hasFallback && (!set || value == ""):
		return fallback, nil
	case !set:
		return refuse("environment variable %s is not set: set it, or give a default with ${%[1]s:-…}", shorten(name))
	}
	return value, nil
}

// variableName says whether s is letters, digits and underscores, not beginning with a digit.
func variableName(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
	return s != "" && strings.Contains(letters, s[:1]) && only(s, letters+"0123456789")
}
