package iso8583

import (
	"encoding/binary"

	"tallystick.example/internal/pure/bcd"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583/codec"
)

// The functions of this file write and read the values of DE 63 tags for the
// table in tags.go. A put that appends nothing means that the value is absent.
// A get is given a value whose length the table allows and reports whether it
// is well formed; it may keep the slice.

func putAttempt(at func(*Private) *AttemptID) func([]byte, *Private) []byte {
	return func(dst []byte, p *Private) []byte {
		if a := at(p); !a.IsZero() {
			dst = append(dst, a[:]...)
		}
		return dst
	}
}

func getAttempt(at func(*Private) *AttemptID) func(*Private, []byte) bool {
	return func(p *Private, v []byte) bool {
		a := AttemptID(v)
		*at(p) = a
		return !a.IsZero()
	}
}

func putBytes(at func(*Private) *[]byte) func([]byte, *Private) []byte {
	return func(dst []byte, p *Private) []byte { return append(dst, *at(p)...) }
}

func getBytes(at func(*Private) *[]byte) func(*Private, []byte) bool {
	return func(p *Private, v []byte) bool { *at(p) = v; return true }
}

func getKSN(at func(*Private) *[]byte) func(*Private, []byte) bool {
	return func(p *Private, v []byte) bool { *at(p) = v; return len(v) != 11 }
}

func putText(at func(*Private) *string) func([]byte, *Private) []byte {
	return func(dst []byte, p *Private) []byte { return append(dst, *at(p)...) }
}

func getText(at func(*Private) *string) func(*Private, []byte) bool {
	return func(p *Private, v []byte) bool {
		*at(p) = string(v)
		return allIn(v, charsANS)
	}
}

func getToken(p *Private, v []byte) bool {
	p.Token = string(v)
	for _, b := range v {
		if b == ' ' {
			return false
		}
	}
	return allIn(v, charsAN)
}

func allIn(v []byte, alphabet *codec.Alphabet) bool {
	for _, b := range v {
		if !alphabet[b] {
			return false
		}
	}
	return true
}

func putCard(dst []byte, p *Private) []byte {
	c := p.CardData
	if len(c.IV) == 0 && len(c.Ciphertext) == 0 {
		return dst
	}
	// A length that does not fit a byte is longer than the tag allows.
	dst = append(dst, byte(min(len(c.IV), 255)))
	dst = append(dst, c.IV...)
	return append(dst, c.Ciphertext...)
}

func getCard(p *Private, v []byte) bool {
	block := int(v[0])
	if block != 8 && block != 16 || len(v) < 1+2*block || (len(v)-1)%block != 0 {
		return false
	}
	p.CardData = CardData{v[1 : 1+block : 1+block], v[1+block:]}
	return true
}

func putPIN(dst []byte, p *Private) []byte { return append(dst, p.PINBlock.Expose()...) }

func getPIN(p *Private, v []byte) bool { p.PINBlock = secret.New(v); return true }

func putReason(dst []byte, p *Private) []byte {
	if p.Reason == 0 {
		return dst
	}
	return append(dst, byte(p.Reason))
}

func getReason(p *Private, v []byte) bool {
	p.Reason = ReversalReason(v[0])
	return p.Reason.Known()
}

func getScripts(p *Private, v []byte) bool {
	p.ScriptResults = v
	return len(v)%5 == 0
}

func putTotals(dst []byte, p *Private) []byte {
	t := p.Totals
	if t == nil {
		return dst
	}
	dst = binary.BigEndian.AppendUint32(dst, t.Batch)
	c := t.Currency % 10000
	dst = append(dst, byte(c/1000<<4|c/100%10), byte(c/10%10<<4|c%10))
	for _, s := range [...]Total{t.Credits, t.CreditReversals, t.Debits, t.DebitReversals} {
		dst = binary.BigEndian.AppendUint32(dst, s.Count)
		dst = binary.BigEndian.AppendUint64(dst, uint64(s.Minor))
	}
	return dst
}

func getTotals(p *Private, v []byte) bool {
	t := &Totals{Batch: binary.BigEndian.Uint32(v)}
	currency, err := bcd.Uint(v[4:6])
	if err != nil || currency > 999 {
		return false
	}
	t.Currency = uint16(currency)
	v = v[6:]
	for _, s := range [...]*Total{&t.Credits, &t.CreditReversals, &t.Debits, &t.DebitReversals} {
		s.Count = binary.BigEndian.Uint32(v)
		s.Minor = int64(binary.BigEndian.Uint64(v[4:]))
		if s.Minor < 0 || s.Minor > maxBatchMinor {
			return false
		}
		v = v[12:]
	}
	p.Totals = t
	return true
}

// maxBatchMinor bounds a batch total so that sums of four never overflow.
const maxBatchMinor = 1 << 60

func putRequest(dst []byte, p *Private) []byte {
	r := p.Request
	if r == nil {
		return dst
	}
	dst = binary.BigEndian.AppendUint32(append(dst, r.Set), r.Version)
	return binary.BigEndian.AppendUint32(dst, r.Offset)
}

func getRequest(p *Private, v []byte) bool {
	p.Request = &ParameterRequest{v[0], binary.BigEndian.Uint32(v[1:]), binary.BigEndian.Uint32(v[5:])}
	return true
}

func putChunk(dst []byte, p *Private) []byte {
	c := p.Chunk
	if c == nil {
		return dst
	}
	dst = append(dst, c.Set)
	dst = binary.BigEndian.AppendUint32(dst, c.Version)
	dst = binary.BigEndian.AppendUint32(dst, c.Offset)
	dst = binary.BigEndian.AppendUint32(dst, c.Total)
	dst = append(dst, c.Hash[:]...)
	return append(dst, c.Data...)
}

func getChunk(p *Private, v []byte) bool {
	c := &ParameterChunk{Set: v[0], Version: binary.BigEndian.Uint32(v[1:]), Offset: binary.BigEndian.Uint32(v[5:]),
		Total: binary.BigEndian.Uint32(v[9:]), Hash: [32]byte(v[13:45]), Data: v[45:]}
	p.Chunk = c
	return uint64(c.Offset)+uint64(len(c.Data)) <= uint64(c.Total)
}

func putVersions(dst []byte, p *Private) []byte {
	for _, v := range p.Parameters {
		dst = binary.BigEndian.AppendUint32(append(dst, v.Set), v.Version)
	}
	return dst
}

func getVersions(p *Private, v []byte) bool {
	for ; len(v) >= 5; v = v[5:] {
		p.Parameters = append(p.Parameters, ParameterVersion{v[0], binary.BigEndian.Uint32(v[1:])})
	}
	return len(v) == 0
}

func putCapabilities(dst []byte, p *Private) []byte {
	if p.Capabilities == 0 {
		return dst
	}
	return binary.BigEndian.AppendUint32(dst, uint32(p.Capabilities))
}

func getCapabilities(p *Private, v []byte) bool {
	p.Capabilities = Capabilities(binary.BigEndian.Uint32(v))
	return true
}

func putCheckpoint(dst []byte, p *Private) []byte {
	c := p.Checkpoint
	if c == nil {
		return dst
	}
	dst = append(append(dst, byte(min(len(c.Node), 255))), c.Node...)
	dst = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, c.Boot), c.Count)
	return append(append(dst, c.Head[:]...), c.Signature[:]...)
}

func getCheckpoint(p *Private, v []byte) bool {
	n := int(v[0])
	if n < 1 || n > 16 || len(v) != 1+n+8+8+32+64 || !allIn(v[1:1+n], charsANS) {
		return false
	}
	c := &Checkpoint{Node: string(v[1 : 1+n])}
	v = v[1+n:]
	c.Boot, c.Count = binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:])
	c.Head, c.Signature = [32]byte(v[16:48]), [64]byte(v[48:112])
	p.Checkpoint = c
	return true
}

func putHighest(dst []byte, p *Private) []byte {
	for _, k := range p.HighestKSNs {
		dst = append(append(dst, byte(min(len(k), 255))), k...)
	}
	return dst
}

func getHighest(p *Private, v []byte) bool {
	for len(v) > 0 {
		n := int(v[0])
		if n != 10 && n != 12 || len(v) < 1+n {
			return false
		}
		p.HighestKSNs = append(p.HighestKSNs, v[1:1+n:1+n])
		v = v[1+n:]
	}
	return true
}

func putQueues(dst []byte, p *Private) []byte {
	q := p.Queues
	if q == nil {
		return dst
	}
	for _, n := range [...]uint16{q.Reversals, q.Advices, q.Manual} {
		dst = binary.BigEndian.AppendUint16(dst, n)
	}
	return dst
}

func getQueues(p *Private, v []byte) bool {
	p.Queues = &Queues{binary.BigEndian.Uint16(v), binary.BigEndian.Uint16(v[2:]), binary.BigEndian.Uint16(v[4:])}
	return true
}

func putUpload(dst []byte, p *Private) []byte {
	u := p.Upload
	if u == nil {
		return dst
	}
	for _, n := range [...]uint32{u.Batch, u.Index, u.Count} {
		dst = binary.BigEndian.AppendUint32(dst, n)
	}
	return dst
}

func getUpload(p *Private, v []byte) bool {
	u := &UploadPosition{binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:]), binary.BigEndian.Uint32(v[8:])}
	p.Upload = u
	return u.Index >= 1 && u.Index <= u.Count
}

func putConfirmed(dst []byte, p *Private) []byte {
	for _, a := range p.Confirmed {
		dst = append(dst, a[:]...)
	}
	return dst
}

func getConfirmed(p *Private, v []byte) bool {
	for ; len(v) >= 16; v = v[16:] {
		a := AttemptID(v)
		if a.IsZero() {
			return false
		}
		p.Confirmed = append(p.Confirmed, a)
	}
	return len(v) == 0
}
