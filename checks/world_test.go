package checks_test

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"plumbline/checks"
	"plumbline/sources"
	"plumbline/sources/memory"
)

// world is a random owner and replica in memory, small enough that what differs
// can be worked out by looking at everything at once.
type world struct {
	owner, replica []row
	copies         bool // many copies, told apart by id
	unique         bool
	where          bool
	deletes        bool
	nulls          bool
	missing, extra bool // ignored
}

type row struct {
	key, id, value int64
	null           bool // no key
	deleted, out   bool
}

func makeWorld(r *rand.Rand) world {
	w := world{copies: r.IntN(3) == 0, unique: r.IntN(2) == 0, where: r.IntN(2) == 0, deletes: r.IntN(2) == 0, nulls: r.IntN(3) == 0,
		missing: r.IntN(4) == 0, extra: r.IntN(4) == 0}
	keys := 1 + r.Int64N(40)
	draw := func(n int, replica bool) (rows []row) {
		used := map[[2]int64]bool{}
		for range n {
			x := row{key: r.Int64N(keys), null: w.nulls && r.IntN(20) == 0,
				deleted: w.deletes && r.IntN(5) == 0, out: w.where && !replica && r.IntN(5) == 0}
			if replica && w.copies {
				x.id = r.Int64N(4)
			}
			// Twins are alike, so that it does not matter which is compared.
			x.value = x.key * 7 % 3
			if replica {
				x.value = (x.key*7 + (x.key*5+x.id*11)%4/3) % 3
			}
			if w.unique && used[[2]int64{x.key, x.id}] && !x.null {
				continue
			}
			used[[2]int64{x.key, x.id}] = true
			rows = append(rows, x)
		}
		return rows
	}
	w.owner, w.replica = draw(1+r.IntN(60), false), draw(r.IntN(60), true)
	return w
}

// pick chooses what stands for a side: a live record, else a deleted one, else one out of scope.
func pick(rows []row) (chosen *row, live int) {
	rank := func(x row) int {
		switch {
		case !x.deleted && !x.out:
			return 0
		case x.out:
			return 2
		}
		return 1
	}
	for i := range rows {
		if rank(rows[i]) == 0 {
			live++
		}
		if chosen == nil || rank(rows[i]) < rank(*chosen) {
			chosen = &rows[i]
		}
	}
	return chosen, live
}

// differences works out what a run must find, from the definitions alone.
func (w world) differences() (want []string, compared int64) {
	owners, replicas := map[int64][]row{}, map[int64]map[int64][]row{}
	add := func(format string, args ...any) { want = append(want, fmt.Sprintf(format, args...)); compared++ }
	unreadable := func(rows []row) {
		for _, x := range rows {
			if x.null && !x.deleted && !x.out {
				add("unreadable null")
			}
		}
	}
	if !w.extra {
		unreadable(w.replica)
	}
	if !w.missing {
		unreadable(w.owner)
	}
	keys := map[int64]bool{}
	for _, x := range w.owner {
		if !x.null {
			owners[x.key] = append(owners[x.key], x)
			keys[x.key] = true
		}
	}
	for _, x := range w.replica {
		if x.null {
			continue
		}
		if replicas[x.key] == nil {
			replicas[x.key] = map[int64][]row{}
		}
		replicas[x.key][x.id] = append(replicas[x.key][x.id], x)
		keys[x.key] = true
	}
	for key := range keys {
		owner, live := pick(owners[key])
		if owner != nil && owner.out {
			continue
		}
		judge := func(replica *row) {
			ownerLives, replicaLives := owner != nil && !owner.deleted, replica != nil && !replica.deleted
			switch {
			case ownerLives && replicaLives && owner.value != replica.value:
				add("mismatch %d", key)
			case ownerLives && !replicaLives && !w.missing:
				add("missing %d", key)
			case !ownerLives && replicaLives && !w.extra:
				add("extra %d", key)
			case ownerLives == replicaLives && !(owner == nil && w.extra):
				compared++
			}
		}
		twin := func(live int) {
			if live > 1 {
				add("duplicate %d", key)
				compared += int64(live - 2)
			}
		}
		if !w.copies {
			replica, liveReplicas := pick(replicas[key][0])
			judge(replica)
			if owner != nil || !w.extra {
				twin(max(1, live) + max(1, liveReplicas) - 1)
			}
			continue
		}
		if owner == nil && w.extra {
			continue
		}
		anyLive := false
		for _, rows := range replicas[key] {
			replica, liveReplicas := pick(rows)
			if !replica.deleted || live == 0 {
				judge(replica)
			}
			twin(liveReplicas)
			anyLive = anyLive || liveReplicas > 0
		}
		if len(replicas[key]) > 0 || !w.missing {
			twin(live)
		}
		if live > 0 && !anyLive && !w.missing {
			add("missing %d", key)
		}
	}
	slices.Sort(want)
	return want, compared
}

// stores puts a world into two stores in memory.
func (w world) stores(r *rand.Rand, own bool) (owner, replica *memory.Store, check *checks.Check) {
	integer := sources.FieldType{Kind: sources.KindInt, Nullable: w.nulls, Raw: "int8"}
	columns := []memory.Column{{Name: "id", FieldType: integer}, {Name: "copy", FieldType: integer}, {Name: "value", FieldType: integer},
		{Name: "deleted", FieldType: integer}, {Name: "out", FieldType: integer}}
	fill := func(rows []row, unique []string) *memory.Store {
		s := memory.NewStore()
		order := memory.Order{}
		if own {
			order = memory.Shuffled(1 + r.Uint64N(1000))
		}
		s.Create(memory.Table{Name: "records", Columns: columns, Unique: unique, Index: []string{"id"}, Order: order})
		for name, field := range map[string]string{"is deleted": "deleted", "is out": "out"} {
			s.Register(name, func(get func(string) sources.Value) bool { return get(field).AsInt() == 1 })
		}
		s.Register("is in", func(get func(string) sources.Value) bool { return get("out").AsInt() == 0 })
		for _, x := range rows {
			key := sources.Int(x.key)
			if x.null {
				key = sources.Null()
			}
			s.Put("records", key, sources.Int(x.id), sources.Int(x.value), flagged(x.deleted), flagged(x.out))
		}
		return s
	}
	unique := map[bool][]string{true: {"id"}}[w.unique]
	copied := unique
	d := sources.Dataset{Name: "records", Key: []string{"id"}}
	if w.deletes {
		d.DeletedWhen = "is deleted"
	}
	check = &checks.Check{Name: "laws", Owner: checks.Side{Source: "owner", Kind: "memory", Dataset: d}, Edges: []checks.Edge{{
		Name: "replica", IgnoreMissing: w.missing, IgnoreExtra: w.extra,
		Rules: []checks.Rule{field("value", "value")}, Replica: checks.Side{Source: "replica", Kind: "memory", Dataset: d}}}}
	if w.where {
		check.Owner.Dataset.Where = "is in"
	}
	if w.copies {
		check.Edges[0].Replica.Dataset.ID = []string{"copy"}
		if w.unique {
			copied = []string{"id", "copy"}
		}
	}
	return fill(w.owner, unique), fill(w.replica, copied), check
}

func flagged(b bool) sources.Value {
	if b {
		return sources.Int(1)
	}
	return sources.Int(0)
}
