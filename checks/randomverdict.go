package checks

// countRandomKey lets a verdict on a suspect whose key was drawn at random tell
// what became of the key: it differs where the suspect is confirmed. Where the
// suspect is cleared the key is judged as a whole, for it may differ otherwise,
// and what differs is the suspect that tells from then on. A verdict that leaves
// the suspect open leaves the key open.
func (e *edge) countRandomKey(v *Verdict, g *group) error {
	s := v.Suspect
	switch {
	case v.Outcome == Confirmed:
		differ := int64(1)
		if s.Random == ReplicaSide && v.Difference.Kind != Extra {
			differ = 0 // the owner has the key by now
		}
		v.Counts.countRandom(s.Random, 1, differ, 0)
		return nil
	case v.Outcome != Cleared: // what follows, if anything, is the same suspect
		return nil
	case v.Follow != nil:
		v.Follow.Random = s.Random
		return nil
	}
	whole := &Part{}
	if err := e.noteWhole(whole, g); err != nil {
		return err
	}
	differs := len(whole.Suspects) > 0 && (s.Random == OwnerSide || lacks(g))
	switch {
	case differs && s.Restarts >= e.options.Restarts:
	case differs:
		follow := whole.Suspects[0]
		follow.Random, follow.Restarts = s.Random, s.Restarts+1
		v.Follow = &follow
	case whole.Counts.Skipped > 0:
	case !e.concerned(g, s.Random):
		v.Counts.countRandom(s.Random, 0, 0, 1)
	default:
		v.Counts.countRandom(s.Random, 1, 0, 0)
	}
	return nil
}
