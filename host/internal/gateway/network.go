package gateway

import (
	"encoding/binary"
	"fmt"

	"tallystick.example/host/internal/authorize"
	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/terminals"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/iso8583"
)

// network answers sign-on and sign-off; other codes are not carried out by this
// host.
func (x *Exchange) network(in authorize.Message) {
	switch in.Digits(70) {
	case iso8583.SignOn:
		x.signOn(in)
	case iso8583.SignOff:
		x.confirmed(in, nil, nil)
	default:
		x.do(Count{"unsupported"})
		x.refuse(in, codeUnsupported)
	}
}

// signOn tells a terminal the highest counter of each of its key sets and the
// newest audit checkpoint, and drops retired key sets of a terminal that owes
// nothing any more.
func (x *Exchange) signOn(in authorize.Message) {
	var highest [][]byte
	x.confirmed(in, func(tx *store.Tx) error {
		if q := in.Private.Queues; q != nil && *q == (iso8583.Queues{}) {
			if err := terminals.DropRetired(tx, in.Terminal()); err != nil {
				return fmt.Errorf("dropping retired key sets: %w", err)
			}
		}
		sets, err := terminals.KeySets(tx, in.Terminal())
		if err != nil {
			return err
		}
		highest = highestKSNs(sets)
		return nil
	}, func(p *iso8583.Private) {
		p.HighestKSNs = highest
		if cp, ok := x.checkpoint(); ok {
			p.Checkpoint = checkpoint(cp)
		}
	})
}

// confirmed spends the counter of in, runs inside in the same commit and answers
// 00 with what more adds to DE 63.
func (x *Exchange) confirmed(in authorize.Message, inside func(*store.Tx) error, more func(*iso8583.Private)) {
	x.ask(func(c uint64) authorize.Input {
		return authorize.ConfirmationAsked{Call: c, Message: in, Inside: inside}
	}, func(_ authorize.Reply, err error) {
		if authorize.IsCounterFault(err) {
			x.ask(func(c uint64) authorize.Input { return authorize.AlarmAsked{Call: c, Message: in, Cause: err} }, x.decided)
			return
		}
		var r authorize.Reply
		if err == nil {
			r.Answer, err = confirmation(in, more)
		}
		x.decided(r, err)
	})
}

// confirmation is the answer 00 with what more adds to DE 63.
func confirmation(in authorize.Message, more func(*iso8583.Private)) (*iso8583.Message, error) {
	a, err := iso8583.Answer(in.Message, authorize.CodeApproved)
	if err != nil || more == nil {
		return a, err
	}
	p, err := a.Private()
	if err != nil {
		return nil, err
	}
	more(&p)
	a.SetPrivate(p)
	return a, a.Err()
}

// maxHighest is how many KSNs fit into DE 63 tag 15.
const maxHighest = 4

// tdesCounter are the 21 counter bits of a TDES KSN (X9.24-1:2009, A.2).
const tdesCounter = 1<<21 - 1

// highestKSNs is the KSN with the highest counter of each set that was used.
func highestKSNs(sets []terminals.Set) [][]byte {
	var out [][]byte
	for _, s := range sets {
		if s.Highest < 0 || len(out) == maxHighest {
			continue
		}
		ksn := append([]byte{}, s.ID...)
		if s.Scheme == api.SchemeAES {
			ksn = binary.BigEndian.AppendUint32(ksn, uint32(s.Highest))
		} else {
			low := ksn[len(ksn)-4:]
			v := binary.BigEndian.Uint32(low)&^tdesCounter | uint32(s.Highest)&tdesCounter
			binary.BigEndian.PutUint32(low, v)
		}
		out = append(out, ksn)
	}
	return out
}

// checkpoint puts an audit checkpoint into the form of DE 63.
func checkpoint(cp api.Checkpoint) *iso8583.Checkpoint {
	out := &iso8583.Checkpoint{Node: cp.Node, Boot: cp.Boot, Count: cp.Count, Head: cp.Head}
	copy(out.Signature[:], cp.Signature)
	return out
}
