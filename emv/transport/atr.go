package transport

import "fmt"

// maxATR is the longest answer to reset: TS and 32 characters (ISO/IEC 7816-3,
// 8.1).
const maxATR = 33

// maxInterface bounds the groups of interface characters; 32 characters cannot
// hold more.
const maxInterface = 16

// An InterfaceByte is one of the characters TA1, TB1, … of an answer to reset.
type InterfaceByte struct {
	Letter byte // 'A' to 'D'
	Index  int  // from 1
	Value  byte
}

// Name is the character's name, such as TA1.
func (b InterfaceByte) Name() string { return fmt.Sprintf("T%c%d", b.Letter, b.Index) }

// An ATR is an answer to reset.
type ATR struct {
	Inverse    bool            // inverse convention (TS 3F)
	Interface  []InterfaceByte // in the order of the answer
	Protocols  []byte          // numbers of the TD characters; 0 alone when there are none
	Historical []byte
	TCK        []byte // the check character, one byte, or nil
}

// ParseATR reads an answer to reset (ISO/IEC 7816-3, 8.2). A wrong length, first
// character or check character gives ErrATR. The result does not alias b.
func ParseATR(b []byte) (ATR, error) {
	if len(b) < 2 || len(b) > maxATR {
		return ATR{}, fmt.Errorf("%w: %d characters", ErrATR, len(b))
	}
	if b[0] != 0x3B && b[0] != 0x3F {
		return ATR{}, fmt.Errorf("%w: TS is neither 3B nor 3F", ErrATR)
	}
	a := ATR{Inverse: b[0] == 0x3F}
	rest, err := a.interfaceBytes(b[1]>>4, b[2:])
	if err != nil {
		return ATR{}, err
	}
	k := int(b[1] & 0x0F)
	if len(rest) < k {
		return ATR{}, fmt.Errorf("%w: historical characters are missing", ErrATR)
	}
	a.Historical, rest = append([]byte{}, rest[:k]...), rest[k:]
	return a, a.check(b, rest)
}

// interfaceBytes reads the groups that follow an indicator Y and returns what
// is left.
func (a *ATR) interfaceBytes(y byte, rest []byte) ([]byte, error) {
	for i := 1; y != 0; i++ {
		if i > maxInterface {
			return nil, fmt.Errorf("%w: too many interface characters", ErrATR)
		}
		group := y
		y = 0
		for bit, letter := range []byte("ABCD") {
			if group&(1<<bit) == 0 {
				continue
			}
			if len(rest) == 0 {
				return nil, fmt.Errorf("%w: T%c%d is missing", ErrATR, letter, i)
			}
			v := rest[0]
			rest = rest[1:]
			a.Interface = append(a.Interface, InterfaceByte{Letter: letter, Index: i, Value: v})
			if letter == 'D' {
				a.Protocols = append(a.Protocols, v&0x0F)
				y = v >> 4
			}
		}
	}
	if len(a.Protocols) == 0 {
		a.Protocols = []byte{0}
	}
	return rest, nil
}

// check reads TCK, which is there unless only T=0 is indicated.
func (a *ATR) check(all, rest []byte) error {
	want := 0
	for _, p := range a.Protocols {
		if p != 0 {
			want = 1
		}
	}
	if len(rest) != want {
		return fmt.Errorf("%w: %d characters behind the historical ones, want %d", ErrATR, len(rest), want)
	}
	if want == 0 {
		return nil
	}
	a.TCK = []byte{rest[0]}
	var sum byte
	for _, b := range all[1:] {
		sum ^= b
	}
	if sum != 0 {
		return fmt.Errorf("%w: wrong check character", ErrATR)
	}
	return nil
}

// Get is the value of an interface character, such as Get('A', 1) for TA1.
func (a ATR) Get(letter byte, index int) (byte, bool) {
	for _, b := range a.Interface {
		if b.Letter == letter && b.Index == index {
			return b.Value, true
		}
	}
	return 0, false
}
