package transport

import "fmt"

// Reset is the kind of reset that a card answers to.
type Reset int

// The kinds of reset (EMV Level 1 Contact 6.1.3).
const (
	ColdReset Reset = iota // first activation
	WarmReset              // second try after an answer that was refused
)

// Parameters are what terminal and card use after an accepted answer to reset
// without PPS (EMV Level 1 Contact 8.3.3).
type Parameters struct {
	Protocol byte // 0 or 1
	FiDi     byte // as TA1: clock rate conversion and bit rate adjustment
	N        byte // extra guard time as TC1
	WI       byte // T=0: waiting time integer, TC2
	IFSC     byte // T=1: longest information field the card takes
	BWI, CWI byte // T=1: waiting time integers
}

// Default values of the parameters (EMV Level 1 Contact 8.3.3).
const (
	defaultFiDi = 0x11
	defaultWI   = 10
	defaultIFSC = 32
)

// CheckEMV accepts or refuses an answer to reset as EMV Level 1 Contact, 8.3
// asks of a terminal, and gives the parameters to go on with. ErrATR names the
// character that is not acceptable; after a cold reset the terminal tries a
// warm one, after a warm one it deactivates the card.
func (a ATR) CheckEMV(reset Reset) (Parameters, error) {
	p := Parameters{Protocol: a.Protocols[0], FiDi: defaultFiDi, WI: defaultWI, IFSC: defaultIFSC}
	if p.Protocol > 1 {
		return Parameters{}, refuse("TD1 offers neither T=0 nor T=1")
	}
	if err := a.protocolOrder(); err != nil {
		return Parameters{}, err
	}
	for _, step := range []func(*Parameters, Reset) error{a.rate, a.programming, a.guardTime, a.t0, a.t1, a.class} {
		if err := step(&p, reset); err != nil {
			return Parameters{}, err
		}
	}
	return p, nil
}

func refuse(reason string) error { return fmt.Errorf("%w: %s", ErrATR, reason) }

// protocolOrder wants ascending protocol numbers after TD1 (ISO/IEC 7816-3,
// 8.2.3), so that the first one offered is unambiguous.
func (a ATR) protocolOrder() error {
	for i := 1; i < len(a.Protocols); i++ {
		if a.Protocols[i] < a.Protocols[i-1] {
			return refuse("protocols are not in ascending order")
		}
	}
	return nil
}

// rate looks at TA1 and TA2 (8.3.3.1, 8.3.3.5). Without TA2 the card lets
// itself be negotiated with, and both go on with the default rate.
func (a ATR) rate(p *Parameters, _ Reset) error {
	ta2, specific := a.Get('A', 2)
	if !specific {
		return nil
	}
	if ta2&0x0F != p.Protocol {
		return refuse("TA2 names another protocol than TD1")
	}
	if ta2&0x10 != 0 {
		return refuse("TA2 asks for implicit parameters")
	}
	ta1, there := a.Get('A', 1)
	if !there {
		return nil
	}
	if ta1 < 0x11 || ta1 > 0x13 {
		return refuse("TA1 is outside 11 to 13")
	}
	p.FiDi = ta1
	return nil
}

// programming looks at TB1 and TB2 (8.3.3.2, 8.3.3.6): no programming voltage.
func (a ATR) programming(_ *Parameters, reset Reset) error {
	tb1, there := a.Get('B', 1)
	if reset == ColdReset && (!there || tb1 != 0) {
		return refuse("TB1 is not 00")
	}
	if _, there := a.Get('B', 2); there {
		return refuse("TB2 is there")
	}
	return nil
}

// guardTime looks at TC1 (8.3.3.3): no extra guard time, or the shortest one.
func (a ATR) guardTime(p *Parameters, _ Reset) error {
	tc1, there := a.Get('C', 1)
	if there && tc1 != 0x00 && tc1 != 0xFF {
		return refuse("TC1 is neither 00 nor FF")
	}
	p.N = tc1
	return nil
}

// t0 looks at TC2 (8.3.3.7).
func (a ATR) t0(p *Parameters, _ Reset) error {
	tc2, there := a.Get('C', 2)
	if !there {
		return nil
	}
	if tc2 != defaultWI {
		return refuse("TC2 is not 0A")
	}
	p.WI = tc2
	return nil
}

// t1 looks at TD2 and the characters of T=1 (8.3.3.8 to 8.3.3.11).
func (a ATR) t1(p *Parameters, _ Reset) error {
	if p.Protocol != 1 {
		return nil
	}
	if td2, there := a.Get('D', 2); !there || td2&0x0F != 1 {
		return refuse("TD2 does not name T=1")
	}
	if ta3, there := a.Get('A', 3); there {
		if ta3 < 0x10 || ta3 == 0xFF {
			return refuse("TA3 is outside 10 to FE")
		}
		p.IFSC = ta3
	}
	tb3, there := a.Get('B', 3)
	p.BWI, p.CWI = tb3>>4, tb3&0x0F
	if !there || p.BWI > 4 || p.CWI > 5 {
		return refuse("TB3 is missing or its waiting times are outside 4 and 5")
	}
	if extra := int(p.N+1) & 0xFF; 1<<p.CWI <= extra {
		return refuse("the character waiting time of TB3 is shorter than the guard time of TC1")
	}
	if tc3, there := a.Get('C', 3); there && tc3 != 0 {
		return refuse("TC3 asks for another check than LRC")
	}
	return nil
}

// class looks at the global characters behind T=15 (ISO/IEC 7816-3, 8.3): the
// class indicator of the first TA there must name class A, B or C only.
func (a ATR) class(_ *Parameters, _ Reset) error {
	for i, p := range a.Protocols {
		if p != 15 {
			continue
		}
		if ta, there := a.Get('A', i+2); there && (ta&0x3F == 0 || ta&0x3F > 7) {
			return refuse("the class indicator names no known class")
		}
		return nil
	}
	return nil
}
