package kernel

import (
	"context"

	"tallystick.example/emv"
	"tallystick.example/internal/pure/secret"
)

// An Authenticator performs offline data authentication (B3 10.3, Book 2). It is
// made for one transaction: it remembers the keys that Authenticate recovered.
type Authenticator interface {
	// Authenticate chooses a method from AIP and capabilities and performs SDA or
	// DDA, or recovers the keys for a combined signature. A method that fails is a
	// result, not an error; an error ends the transaction (the card is gone).
	Authenticate(ctx context.Context, in AuthenticatorInput) (AuthenticatorResult, error)
	// VerifyCombined checks the signature of a GENERATE AC answer (Book 2 6.6) and
	// returns the Application Cryptogram (8 bytes) that it holds.
	VerifyCombined(in CombinedInput) (cryptogram []byte, ok bool)
	// EncipherPIN makes the 128-byte or longer data of VERIFY from the digits of a
	// PIN and a challenge of 8 bytes (Book 2 7.2). ok is false when the card has no
	// usable key.
	EncipherPIN(pin secret.Secret, challenge []byte) (data []byte, ok bool)
}

// An AuthenticatorInput is all that a method needs.
type AuthenticatorInput struct {
	Card         Card         // for INTERNAL AUTHENTICATE
	Tags         []emv.Getter // objects of the card, then of the terminal
	AID          []byte       // its first five bytes are the RID
	AIP          []byte       // 2 bytes
	Capabilities [3]byte      // 9F33 as told to the card
	Static       []byte       // nil when it cannot be built: the method fails
	DefaultDDOL  []byte
	Date         emv.Day
}

// An AuthenticatorResult says what was done.
type AuthenticatorResult struct {
	Performed bool      // a method was performed, whether or not it succeeded
	TVR       []emv.Bit // bits to set: failures, SDA selected, ICC data missing
	Combined  bool      // a combined signature is to be asked for with TC and ARQC
	Text      string    // for the trace: "DDA succeeded"
	Tags      *emv.Data // recovered objects, such as 9F45 and 9F4C; may be nil
}

// A CombinedInput is what a combined signature covers (Book 2 6.6.2).
type CombinedInput struct {
	Unpredictable      []byte // 9F37
	PDOLData           []byte
	CDOL1Data          []byte
	CDOL2Data          []byte // nil for the first GENERATE AC
	Response           []byte // objects of the answer except 9F4B, in order
	Signature          []byte // 9F4B
	CryptogramInfoData byte   // 9F27 as answered in clear
}

const stepAuthenticate = "offline data authentication"

// authenticate is the slot of offline data authentication (B3 10.3). Without an
// Authenticator none is performed, and the TVR says so.
func (s *Session) authenticate(ctx context.Context) error {
	a := s.ask.Authenticator
	if a == nil {
		s.setTVR(emv.TVRODANotPerformed)
		s.ask.observe(stepAuthenticate, "B3 10.3", "not performed", "the terminal has no authenticator")
		return nil
	}
	result, err := a.Authenticate(ctx, AuthenticatorInput{
		Card: s.card, Tags: []emv.Getter{&s.tags, &s.terminal}, AID: s.fci.Name, AIP: s.profile.AIP,
		Capabilities: s.capabilities, Static: s.static, DefaultDDOL: s.app.DefaultDDOL, Date: s.tx.Date,
	})
	if err != nil {
		return &Error{Reason: CardLost, Step: stepAuthenticate, Text: "authentication could not be performed", Err: err}
	}
	if !result.Performed {
		s.setTVR(emv.TVRODANotPerformed)
	} else if !result.Combined { // for a combined signature the function ends with GENERATE AC
		s.setTSI(emv.TSIODA)
	}
	s.setTVR(result.TVR...)
	s.combined = result.Combined
	if result.Tags != nil {
		for _, tag := range result.Tags.Tags() {
			value, _ := result.Tags.Get(tag)
			s.tags.Set(tag, value)
		}
	}
	s.ask.observe(stepAuthenticate, "B3 10.3", result.Text, "")
	return nil
}
