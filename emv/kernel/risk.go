package kernel

import (
	"context"
	"fmt"
	"io"

	"tallystick.example/emv"
	"tallystick.example/internal/pure/ber"
)

const stepRisk = "terminal risk management"

// A Risk is terminal risk management (B3 10.6) as a step of its own.
type Risk struct {
	Card   Card       // for GET DATA
	Tags   emv.Getter // of the card: 9F14 and 9F23
	Amount int64      // minor units
	Last   int64      // amount of the latest approved transaction of the same card, or 0
	Floor  int64      // floor limit in minor units

	// Random selection (B3 10.6.2); none when Random is nil.
	Random      io.Reader
	Threshold   int64
	Target, Max int // percent
}

// Run returns the bits of the TVR that are to be set. Only a lost card and an
// unreadable Random are errors.
func (r Risk) Run(ctx context.Context) ([]emv.Bit, error) {
	var set []emv.Bit
	// B3 10.6.1: at the limit counts as over it. Both amounts are below 10^12.
	if r.Amount+r.Last >= r.Floor {
		set = append(set, emv.TVRFloorLimit)
	}
	if r.Random != nil && r.Amount < r.Floor {
		selected, err := r.selected()
		if err != nil {
			return nil, err
		}
		if selected {
			set = append(set, emv.TVRRandomlySelected)
		}
	}
	velocity, err := r.velocity(ctx)
	return append(set, velocity...), err
}

// selected is random transaction selection (B3 10.6.2): below the threshold with
// the target percentage, above it with one that grows to the maximum at the
// floor limit.
func (r Risk) selected() (bool, error) {
	percent := int64(r.Target)
	if r.Amount >= r.Threshold {
		percent += int64(r.Max-r.Target) * (r.Amount - r.Threshold) / (r.Floor - r.Threshold)
	}
	n, err := oneTo99(r.Random)
	return n <= percent, err
}

// oneTo99 draws evenly from 1 to 99: a byte of 198 or more would favour the low
// numbers and is drawn again.
func oneTo99(random io.Reader) (int64, error) {
	var b [1]byte
	for range 64 { // a good source needs more than 64 draws once in 10^41
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return 0, fmt.Errorf("kernel: reading random bytes: %w", err)
		}
		if b[0] < 198 {
			return int64(b[0]%99) + 1, nil
		}
	}
	return 0, fmt.Errorf("kernel: the source of randomness repeats itself")
}

// velocity is velocity checking (B3 10.6.3), done only when the card gives both
// limits.
func (r Risk) velocity(ctx context.Context) ([]emv.Bit, error) {
	lower, okLower := r.Tags.Get(emv.TagLowerOfflineLimit)
	upper, okUpper := r.Tags.Get(emv.TagUpperOfflineLimit)
	if !okLower || !okUpper || len(lower) != 1 || len(upper) != 1 {
		return nil, nil
	}
	atc, okATC, err := counter(ctx, r.Card, emv.TagATC)
	if err != nil {
		return nil, err
	}
	last, okLast, err := counter(ctx, r.Card, emv.TagLastOnlineATC)
	if err != nil {
		return nil, err
	}
	var set []emv.Bit
	switch {
	case !okATC || !okLast || atc <= last:
		set = append(set, emv.TVRLowerLimit, emv.TVRUpperLimit)
	default:
		if atc-last > int(lower[0]) {
			set = append(set, emv.TVRLowerLimit)
		}
		if atc-last > int(upper[0]) {
			set = append(set, emv.TVRUpperLimit)
		}
	}
	if okLast && last == 0 {
		set = append(set, emv.TVRNewCard)
	}
	return set, nil
}

// counter asks the card for a counter of two bytes. ok is false when the card
// does not give it or gives anything else.
func counter(ctx context.Context, card Card, tag emv.Tag) (value int, ok bool, err error) {
	v, err := readTag(ctx, card, stepRisk, tag)
	if err != nil || len(v) != 2 {
		return 0, false, err
	}
	return int(v[0])<<8 | int(v[1]), true, nil
}

// readTag is GET DATA (B3 6.5.7): the value of tag, nil when the card does not
// give exactly that object.
func readTag(ctx context.Context, card Card, step string, tag emv.Tag) ([]byte, error) {
	data, sw, err := send(ctx, card, step, getData(tag))
	if err != nil || sw != emv.SWOK {
		return nil, err
	}
	nodes, parseErr := ber.Parse(data, ber.Limits{})
	if parseErr != nil || len(nodes) != 1 || nodes[0].Tag != uint32(tag) {
		return nil, nil
	}
	return nodes[0].Value, nil
}
