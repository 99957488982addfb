package gateway

import (
	"errors"

	"tallystick.example/host/internal/authorize"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/xlog"
	"tallystick.example/iso8583"
)

// DE 39 values that only the gateway gives.
const (
	codeMerchant    = "03"
	codeUnsupported = "40"
)

// posts reports whether this host carries out transactions of a type.
func posts(t iso8583.TransactionType) bool {
	return t == iso8583.Purchase || t == iso8583.PurchaseCashback || t == iso8583.CashAdvance
}

// badMAC refuses a message that is not authentic with 63: under its own key when
// there is a handle, else bare.
func (x *Exchange) badMAC() {
	x.do(Bad{"mac " + string(x.opened.MAC)})
	x.do(Note{Level: Warning, Text: "a message is not authentic", Fields: x.fields("mac", string(x.opened.MAC))})
	bare := func() { x.bare(x.identity(), authorize.CodeBadMAC) }
	if x.opened.Handle == 0 {
		bare()
		return
	}
	in := authorize.Message{Message: x.m, Opened: x.opened}
	x.ask(func(c uint64) authorize.Input {
		return authorize.RejectionAsked{Call: c, Message: in, Code: authorize.CodeBadMAC}
	}, func(r authorize.Reply, err error) {
		if err != nil {
			x.release()
			bare()
			return
		}
		x.seal(r)
	})
}

// notOpened answers a message that the boundary could not or would not open.
func (x *Exchange) notOpened(err error) {
	if errors.Is(err, api.ErrInput) {
		x.do(Bad{"format"})
		x.bare(x.identity(), authorize.CodeBadFormat)
		return
	}
	x.fault("opening a message", err)
	x.bare(x.identity(), authorize.CodeSystem)
}

// unreadable answers what could not be unpacked when its identity can be read
// and is the terminal's, and drops it otherwise.
func (x *Exchange) unreadable() {
	x.do(Bad{"format"})
	if id, ok := iso8583.Identify(x.frame.Body); ok && id.Terminal == x.who.Terminal {
		x.bare(id, authorize.CodeBadFormat)
	}
}

func (x *Exchange) identity() iso8583.Identity {
	return iso8583.Identity{MTI: x.m.MTI(), STAN: x.m.STAN(), Terminal: x.m.Terminal()}
}

// bare sends a refusal without MAC: a terminal takes it as no answer and logs it.
func (x *Exchange) bare(id iso8583.Identity, code string) {
	a, ok := iso8583.Refusal(id, code)
	if !ok {
		return
	}
	if b, err := iso8583.Pack(a); err == nil {
		x.send(b, "rc "+code+" without MAC")
	}
}

// echo answers the one message that has no MAC.
func (x *Exchange) echo() {
	if err := iso8583.Validate(x.m, iso8583.ToHost); err != nil {
		x.do(Bad{"rule"})
		x.bare(x.identity(), authorize.CodeBadFormat)
		return
	}
	a, err := iso8583.Answer(x.m, authorize.CodeApproved)
	if err != nil {
		return
	}
	if b, err := iso8583.Pack(a); err == nil {
		x.do(Good{}, Count{"echo"})
		x.send(b, "rc 00")
	}
}

// release forgets the handle of a message that gets no answer.
func (x *Exchange) release() {
	if h := x.opened.Handle; h != 0 {
		x.do(Release{h})
	}
}

// fault logs our own failure; the terminal gets no answer and reverses.
func (x *Exchange) fault(doing string, err error) {
	x.do(Count{"fault"})
	x.note(Failure, "a message was not answered: "+doing+" failed", err)
}

func (x *Exchange) note(l Level, text string, err error) {
	x.do(Note{Level: l, Text: text, Fields: x.fields(), Err: err})
}

// fields are the fixed keys of a message in the log, and more pairs.
func (x *Exchange) fields(more ...string) map[string]any {
	f := map[string]any{xlog.KeySTAN: x.m.STAN(), xlog.KeyMTI: x.m.MTI().String()}
	for i := 0; i+1 < len(more); i += 2 {
		f[more[i]] = more[i+1]
	}
	return f
}
