package canary

import "errors"

// maxStates bounds the automaton to 1 KiB for each byte of all patterns, 128 MiB
// at most.
const maxStates = 128 << 10

// An automaton finds all patterns in one pass (Aho and Corasick 1975). It is
// immutable after build and safe for concurrent use.
type automaton struct {
	next [][256]uint32 // state after a byte
	end  []int32       // pattern that ends in a state, or -1
	more []uint32      // next shorter state in which a pattern ends, or 0
	size []int         // length of each pattern
	most int           // the longest
}

func build(patterns []pattern) (*automaton, error) {
	a := &automaton{next: make([][256]uint32, 1), end: []int32{-1}}
	for i, p := range patterns {
		a.size = append(a.size, len(p.b))
		a.most = max(a.most, len(p.b))
		s := uint32(0)
		for _, b := range p.b {
			if a.next[s][b] == 0 {
				if len(a.next) >= maxStates {
					return nil, errors.New("canary: too many secrets for one scan")
				}
				a.next[s][b] = uint32(len(a.next))
				a.next = append(a.next, [256]uint32{})
				a.end = append(a.end, -1)
			}
			s = a.next[s][b]
		}
		if a.end[s] < 0 {
			a.end[s] = int32(i)
		}
	}
	a.join()
	return a, nil
}

// join completes the transitions, breadth first: where a state has no way on, it
// goes on as its longest suffix that is a state.
func (a *automaton) join() {
	suffix := make([]uint32, len(a.next))
	a.more = make([]uint32, len(a.next))
	var queue []uint32
	for _, s := range a.next[0] {
		if s != 0 {
			queue = append(queue, s)
		}
	}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		f := suffix[s]
		if a.more[s] = a.more[f]; a.end[f] >= 0 {
			a.more[s] = f
		}
		for b, n := range a.next[s] {
			if n == 0 {
				a.next[s][b] = a.next[f][b]
				continue
			}
			suffix[n] = a.next[f][b]
			queue = append(queue, n)
		}
	}
}

// found calls hit for each pattern that ends in state s.
func (a *automaton) found(s uint32, hit func(pattern int)) {
	if a.end[s] >= 0 {
		hit(int(a.end[s]))
	}
	for s = a.more[s]; s != 0; s = a.more[s] {
		hit(int(a.end[s]))
	}
}

// A stream is one pass over data that come in pieces. It follows the data as they
// are, and a second time without line breaks, since base64 and dumps are written
// in lines.
type stream struct {
	a      *automaton
	plain  uint32
	folded uint32
	offset int64 // bytes seen
	kept   int64 // of them, without line breaks
	fold   int64 // kept when the last line break was dropped
	hit    func(pattern int, offset int64)
}

// feed goes on with b. hit gets the offset of the first byte of each match, which
// for one that was folded does not count its line breaks.
func (s *stream) feed(b []byte) {
	a := s.a
	for i := 0; i < len(b); i++ {
		if s.plain == 0 && s.folded == 0 {
			// Nothing has begun: what begins nothing is passed over, such as the zeros
			// that memory and databases are full of.
			from := i
			for i < len(b) && a.next[0][b[i]] == 0 {
				i++
			}
			s.offset += int64(i - from)
			s.kept += int64(i - from)
			if i == len(b) {
				return
			}
		}
		c := b[i]
		s.offset++
		s.plain = a.next[s.plain][c]
		if a.end[s.plain] >= 0 || a.more[s.plain] != 0 {
			a.found(s.plain, func(p int) { s.hit(p, s.offset-int64(a.size[p])) })
		}
		if c == '\n' || c == '\r' {
			s.fold = s.kept
			continue
		}
		s.kept++
		s.folded = a.next[s.folded][c]
		if a.end[s.folded] >= 0 || a.more[s.folded] != 0 {
			a.found(s.folded, func(p int) {
				// Only a match with a line break in it is news.
				if from := s.kept - int64(a.size[p]); from < s.fold {
					s.hit(p, s.offset-int64(a.size[p]))
				}
			})
		}
	}
}
