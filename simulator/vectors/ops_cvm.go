package vectors

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"tallystick.example/emv"
	"tallystick.example/emv/kernel"
	"tallystick.example/emv/oda"
	"tallystick.example/emv/oda/issue"
	"tallystick.example/internal/pure/secret"
)

// cvmEvaluate runs cardholder verification with a cardholder and a card that
// behave as the case says.
func cvmEvaluate(in Input) (map[string]any, error) {
	kinds := map[string]kernel.Kind{
		"purchase": kernel.Purchase, "purchase_with_cashback": kernel.PurchaseWithCashback,
		"unattended_cash": kernel.UnattendedCash, "manual_cash": kernel.ManualCash,
	}
	kind, ok := kinds[in.Text("kind")]
	if !ok {
		return nil, fmt.Errorf("no kind %q", in.Text("kind"))
	}
	currency, err := currencyCode(in, "transaction_currency")
	if err != nil {
		return nil, err
	}
	application, err := currencyCode(in, "application_currency")
	if err != nil {
		return nil, err
	}
	capabilities, err := cvmCapabilities(in.Texts("capabilities"))
	if err != nil {
		return nil, err
	}
	card, err := newPINCard(in.Text("pin"))
	if err != nil {
		return nil, err
	}
	v, err := kernel.Verification{
		List: in.Hex("cvm_list"), Kind: kind, Amount: in.Number("amount"), Currency: currency,
		AppCurrency: application, Capabilities: capabilities, Card: card,
		Ask:    kernel.Callbacks{OnlinePIN: card.onlinePIN, OfflinePIN: card.offlinePIN},
		PINKey: anyKey, Random: issue.Stream("padding of a PIN"),
	}.Run(context.Background())
	if err != nil {
		return nil, err
	}
	var tsi []emv.Bit
	if v.Performed {
		tsi = append(tsi, emv.TSICVM)
	}
	return map[string]any{"cvm_results": v.Results.Bytes(), "tvr": field(5, v.TVR), "tsi": field(2, tsi)}, nil
}

func currencyCode(in Input, key string) (int, error) {
	if !in.Has(key) {
		return 0, nil
	}
	return strconv.Atoi(in.Digits(key))
}

func cvmCapabilities(names []string) (caps [3]byte, err error) {
	bits := map[string]emv.Bit{
		"plaintext_pin": emv.CapPlaintextPIN, "enciphered_pin": emv.CapEncipheredPIN,
		"online_pin": emv.CapOnlinePIN, "signature": emv.CapSignature, "no_cvm": emv.CapNoCVM,
	}
	for _, name := range names {
		bit, ok := bits[name]
		if !ok {
			return caps, fmt.Errorf("no capability %q", name)
		}
		bit.Set(caps[:])
	}
	return caps, nil
}

// A pinCard is a card that knows PINs and nothing else, with its cardholder.
type pinCard struct {
	status kernel.PINStatus
	verify []byte // status word of VERIFY
}

func newPINCard(pin string) (*pinCard, error) {
	switch pin {
	case "correct":
		return &pinCard{kernel.PINEntered, []byte{0x90, 0x00}}, nil
	case "blocked":
		return &pinCard{kernel.PINEntered, []byte{0x69, 0x83}}, nil
	case "bypassed":
		return &pinCard{kernel.PINBypassed, nil}, nil
	case "pin_pad_malfunction":
		return &pinCard{kernel.PINPadFault, nil}, nil
	}
	return nil, fmt.Errorf("no PIN behaviour %q", pin)
}

// Transmit answers VERIFY and GET CHALLENGE; it has no PIN Try Counter to read.
func (c *pinCard) Transmit(_ context.Context, capdu []byte) ([]byte, error) {
	switch capdu[1] {
	case 0x20:
		return c.verify, nil
	case 0x84:
		return []byte{1, 2, 3, 4, 5, 6, 7, 8, 0x90, 0x00}, nil
	}
	return []byte{0x6A, 0x88}, nil
}

func (c *pinCard) onlinePIN(context.Context, *kernel.CardInfo) (kernel.PINStatus, error) {
	return c.status, nil
}

func (c *pinCard) offlinePIN(context.Context, kernel.PINPrompt) (kernel.PINStatus, secret.Secret, error) {
	return c.status, secret.New([]byte("1234")), nil
}

// anyKey stands for the key of a card: what it answers does not depend on the PIN.
func anyKey() (oda.PublicKey, bool) {
	modulus := bytes.Repeat([]byte{0xFF}, 128) // 2^1024-1 is odd, and longer than any block of a PIN
	return oda.NewPublicKey(modulus, []byte{3})
}
