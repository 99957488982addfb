package score

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Microseconds of the spans. Times of this package are microseconds UTC.
const (
	second = int64(1_000_000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// ring is one sliding window, kept as sums over grains. It holds one grain more
// than the span, so that a sum covers at least the whole span and at most one
// grain beyond it: within any span of that length a limit is never exceeded.
type ring struct{ span, grain int64 }

var rings = [...]ring{{minute, 5 * second}, {hour, 5 * minute}, {day, hour}}

// maxBuckets is the most buckets that a well-formed window of one ring has.
func (r ring) maxBuckets() int { return int(r.span/r.grain) + 1 }

// A Sum is how many attempts there were in a span, and their amounts together
// in minor units.
type Sum struct {
	Count int64 `expr:"count" json:"count"`
	Minor int64 `expr:"amount" json:"amount"`
}

// A Span holds the sums over the last minute, hour and day.
type Span struct {
	Minute Sum `expr:"minute" json:"minute"`
	Hour   Sum `expr:"hour" json:"hour"`
	Day    Sum `expr:"day" json:"day"`
}

// bucket is the sum of one grain; at is the grain's number since the epoch.
type bucket struct {
	at  int64
	sum Sum
}

// history is what one subject did lately: for each ring its non-empty buckets,
// oldest first.
type history [len(rings)][]bucket

// add counts one attempt of minor at time at and forgets what has left the
// spans. A clock that steps back counts into the newest bucket, so that nothing
// is lost.
func (h *history) add(at, minor int64) {
	for i, r := range rings {
		now := at / r.grain
		kept := h[i][:0]
		for _, b := range h[i] {
			if b.at > now {
				now = b.at
			}
		}
		for _, b := range h[i] {
			if b.at >= now-r.span/r.grain {
				kept = append(kept, b)
			}
		}
		if n := len(kept); n > 0 && kept[n-1].at == now {
			kept[n-1].sum = kept[n-1].sum.plus(Sum{1, minor})
		} else {
			kept = append(kept, bucket{now, Sum{1, minor}})
		}
		h[i] = kept
	}
}

// plus adds, and stays at the largest number rather than wrapping around.
func (s Sum) plus(o Sum) Sum {
	if o.Minor > math.MaxInt64-s.Minor {
		return Sum{s.Count + o.Count, math.MaxInt64}
	}
	return Sum{s.Count + o.Count, s.Minor + o.Minor}
}

// sums gives what the spans ending at time at hold.
func (h *history) sums(at int64) Span {
	var out [len(rings)]Sum
	for i, r := range rings {
		for _, b := range h[i] {
			if b.at >= at/r.grain-r.span/r.grain {
				out[i] = out[i].plus(b.sum)
			}
		}
	}
	return Span{Minute: out[0], Hour: out[1], Day: out[2]}
}

// historyVersion is the first byte of an encoded history.
const historyVersion = 1

// encode packs h: the version, then for each ring the number of buckets and
// their three numbers as varints.
func (h *history) encode() []byte {
	b := []byte{historyVersion}
	for _, buckets := range h {
		b = binary.AppendUvarint(b, uint64(len(buckets)))
		for _, k := range buckets {
			b = binary.AppendVarint(b, k.at)
			b = binary.AppendVarint(b, k.sum.Count)
			b = binary.AppendVarint(b, k.sum.Minor)
		}
	}
	return b
}

var errHistory = errors.New("score: a stored velocity counter is damaged")

// decode reads what encode packed. Empty input is an empty history.
func decode(b []byte) (history, error) {
	var h history
	if len(b) == 0 {
		return h, nil
	}
	if b[0] != historyVersion {
		return h, fmt.Errorf("%w: version %d", errHistory, b[0])
	}
	b = b[1:]
	for i := range h {
		n, used := binary.Uvarint(b)
		if used <= 0 || n > uint64(rings[i].maxBuckets()) {
			return history{}, errHistory
		}
		b = b[used:]
		for range n {
			var v [3]int64
			for j := range v {
				x, used := binary.Varint(b)
				if used <= 0 {
					return history{}, errHistory
				}
				v[j], b = x, b[used:]
			}
			if v[1] < 1 || v[2] < 0 {
				return history{}, errHistory
			}
			h[i] = append(h[i], bucket{v[0], Sum{v[1], v[2]}})
		}
	}
	if len(b) != 0 {
		return history{}, errHistory
	}
	return h, nil
}
