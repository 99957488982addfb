package cryptogram

import "fmt"

// tenObjects enter every application cryptogram, in this order (EMV Book 2,
// table 26).
var tenObjects = []struct {
	tag  uint32
	size int
}{
	{tagAmount, 6}, {tagAmountOther, 6}, {tagTerminalCountry, 2}, {tagTVR, 5}, {tagCurrency, 2},
	{tagDate, 3}, {tagType, 1}, {tagUnpredictable, 4}, {tagAIP, 2}, {tagATC, 2},
}

// Positions in tag 9F10 (VIS, M/Chip 4; EMV Book 3, Annex C7).
const (
	maxIAD             = 32
	visaCVRAt          = 3
	visaCVRSize        = 4
	mchipCVRAt         = 2
	mchipCVRSize       = 6
	mchipCountersAt    = 10
	mchipCountersBytes = 8
)

// Input is the string of bytes that enters the application cryptogram, before
// padding: ten objects of fixed length and what the profile takes of tag 9F10.
// A missing object or a wrong length gives ErrInput, an unknown profile
// ErrProfile.
func (p Profile) Input(fields Fields) ([]byte, error) {
	r, err := p.rules()
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, 33+maxIAD+blockSize)
	for _, o := range tenObjects {
		v, err := fields.get(o.tag, o.size)
		if err != nil {
			return nil, err
		}
		out = append(out, v...)
	}
	part, err := r.iad.of(fields[tagIssuerApplication])
	if err != nil {
		return nil, err
	}
	return append(out, part...), nil
}

// Padded is Input with the padding of the profile: whole blocks of 8 bytes.
func (p Profile) Padded(fields Fields) ([]byte, error) {
	data, err := p.Input(fields)
	if err != nil {
		return nil, err
	}
	if profiles[p].zeroPadding {
		return padZero(data), nil
	}
	return pad80(data), nil
}

func (part iadPart) of(iad []byte) ([]byte, error) {
	least := map[iadPart]int{
		visaCVR:          visaCVRAt + visaCVRSize,
		wholeIAD:         1,
		mchipCVR:         mchipCVRAt + mchipCVRSize,
		mchipCVRCounters: mchipCountersAt + mchipCountersBytes,
	}[part]
	if len(iad) < least || len(iad) > maxIAD {
		return nil, fmt.Errorf("%w: tag 9F10 has %d bytes, want %d to %d", ErrInput, len(iad), least, maxIAD)
	}
	switch part {
	case visaCVR:
		return iad[visaCVRAt:least:least], nil
	case mchipCVR:
		return iad[mchipCVRAt:least:least], nil
	case mchipCVRCounters:
		cvr := append([]byte(nil), iad[mchipCVRAt:mchipCVRAt+mchipCVRSize]...)
		return append(cvr, iad[mchipCountersAt:least]...), nil
	default:
		return iad, nil
	}
}
