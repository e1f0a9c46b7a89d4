package main

import (
	"slices"
	"strings"
)

// saves is what came of the calls of Save and SaveAll of rows that their callers have not
// read.
type saves struct {
	Acked, Refused, Unknown int64
	// Grouped counts those acknowledged that were in a batch with others, and Largest is
	// the size of the largest batch.
	Grouped, Largest int64
	// Lost counts acknowledged ones that are not there as they were given, and Wrong others
	// that are there twice, in part, or though they were refused.
	Lost, Wrong int64
}

func (s *saves) add(o saves) {
	s.Acked += o.Acked
	s.Refused += o.Refused
	s.Unknown += o.Unknown
	s.Grouped += o.Grouped
	s.Largest = max(s.Largest, o.Largest)
	s.Lost += o.Lost
	s.Wrong += o.Wrong
}

// saved is what is stored of them: records by their ids, and entries by their names.
type saved struct {
	records map[string]Record
	entries map[string][]Entry
	// partly tells that a call that fails may have saved some of its rows.
	partly bool
}

func (v *verdict) loseSave(format string, args ...any) {
	v.Saves.Lost++
	v.lose(1, format, args...)
}

func (v *verdict) wrongSave(format string, args ...any) {
	v.Saves.Wrong++
	v.Ghosts++
	v.problem(format, args...)
}

// judgeSaves looks for each save at the rows that nobody else saves, and then at those that
// belong to one caller, who saves them again and again.
func (v *verdict) judgeSaves(ops []op, s saved) {
	owned := map[string][]op{}
	nobodys := map[string]bool{}
	for id := range s.records {
		nobodys[id] = strings.HasPrefix(id, savedPrefix)
	}
	for name := range s.entries {
		nobodys[name] = name != taken
	}
	for _, o := range ops {
		if o.Kind != saving && o.Kind != entering {
			continue
		}
		v.countSave(o)
		o.Outcome = v.judgeSave(o, s)
		for _, id := range o.Keys {
			delete(nobodys, id)
			if isOwn(id) {
				owned[id] = append(owned[id], o)
			}
		}
	}
	for id, own := range owned {
		v.judgeOwn(id, own, s)
	}
	for id, is := range nobodys {
		if is {
			v.wrongSave("%s is there, which nobody saved", id)
		}
	}
}

func (v *verdict) countSave(o op) {
	switch o.Outcome {
	case isDone:
		v.Saves.Acked++
		if o.Batch > 1 {
			v.Saves.Grouped++
			v.Saves.Largest = max(v.Saves.Largest, int64(o.Batch))
		}
	case isRefused:
		v.Saves.Refused++
	default:
		v.Saves.Unknown++
	}
}

// judgeSave looks at the rows that only this save can have stored. An unknown one has the
// outcome that they show, if any.
func (v *verdict) judgeSave(o op, s saved) (outcome string) {
	rows, there, partly := 0, 0, s.partly && len(o.Keys) > 1
	for i, id := range o.Keys {
		if isOwn(id) {
			continue
		}
		is := v.judgeRow(o, i, s)
		if o.Outcome != isDone && partly && len(o.Named) > 0 {
			if !is && !slices.Contains(o.Named, i) {
				v.loseSave("%s saved %s, which its error does not name, and it is not there: %s", o.Name, id, o.Err)
			}
			continue
		}
		rows++
		if is {
			there++
		}
	}
	switch {
	case rows == 0:
	case o.Outcome == isDone && there < rows:
		v.loseSave("%s was acknowledged, and %d of its %d rows are not there", o.Name, rows-there, rows)
	case o.Outcome == isRefused && there > 0 && !partly:
		v.wrongSave("%s was refused (%s), and %d of its %d rows are there", o.Name, o.Err, there, rows)
	case o.Outcome == isUnknown && 0 < there && there < rows && !partly:
		v.wrongSave("%d of the %d rows of %s are there", there, rows, o.Name)
	case o.Outcome == isUnknown && !partly:
		if there == 0 {
			return isRefused
		}
		return isDone
	}
	return o.Outcome
}

// judgeRow reports whether a row is there, which must be as it was given, and once.
func (v *verdict) judgeRow(o op, i int, s saved) bool {
	id := o.Keys[i]
	if o.Kind == saving {
		r, is := s.records[id]
		if is && (r.N != valueOf(o.Name) || r.Text != textOf(o.Name)) {
			v.wrongSave("%s saved %s, which is %+v", o.Name, id, r)
		}
		return is
	}
	es := s.entries[id]
	if len(es) > 1 {
		v.wrongSave("%s saved %s, which is there %d times", o.Name, id, len(es))
	}
	for _, e := range es {
		if e.N != valueOf(o.Name) || e.Hooks != 1 || e.Only != nil || o.Outcome == isDone && (i >= len(o.IDs) || o.IDs[i] != e.ID) {
			v.wrongSave("%s saved %s with the keys %d, which is %+v", o.Name, id, o.IDs, e)
		}
	}
	return len(es) > 0
}

// judgeOwn: a row that one caller saves again and again is what the last acknowledged save
// gave it, or an unknown one after it.
func (v *verdict) judgeOwn(id string, ops []op, s saved) {
	slices.SortFunc(ops, func(a, b op) int { return int(a.Start - b.Start) })
	may := map[string]bool{"": true}
	var last string
	refused := map[string]string{}
	for i, o := range ops {
		switch {
		case o.Outcome == isDone:
			last, may = o.Name, map[string]bool{o.Name: true}
		case o.Outcome == isUnknown || s.partly && !slices.Contains(o.Named, slices.Index(o.Keys, id)) && len(ops[i].Keys) > 1:
			may[o.Name] = true
		default:
			refused[o.Name] = o.Err
		}
	}
	r, is := s.records[id]
	name, given := strings.CutPrefix(r.Text, textOf(""))
	switch why, wasRefused := refused[name]; {
	case is && (!given || r.N != valueOf(name)):
		v.wrongSave("%s is %+v, which nobody saved", id, r)
	case may[name]:
	case wasRefused:
		v.wrongSave("%s is as %s saved it, which was refused: %s", id, name, why)
	case name == "":
		v.loseSave("%s is gone, which %s saved", id, last)
	default:
		v.loseSave("%s is as %s saved it, and not as %s did later", id, name, last)
	}
}
