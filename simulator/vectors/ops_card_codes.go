package vectors

import (
	"tallystick.example/emv/cryptogram"
	"tallystick.example/internal/pure/cardcodes"
	"tallystick.example/internal/pure/secret"
)

// cardCodeOps are check values of PINs and cards.
func cardCodeOps() map[string]Op {
	return map[string]Op{
		"pin.pvv": func(in Input) (map[string]any, error) {
			v, err := cardcodes.PVV(in.Hex("pvk"), in.Int("pvki"), digits(in, "pin"), digits(in, "pan"))
			return map[string]any{"pvv": string(v)}, err
		},
		"pin.ibm3624": func(in Input) (map[string]any, error) {
			natural, offset, err := cardcodes.IBM3624(in.Hex("pvk"), digits(in, "decimalization_table"),
				in.Hex("validation_data"), digits(in, "pin"))
			return map[string]any{"natural_pin": string(natural), "offset": string(offset)}, err
		},
		"card.cvv": func(in Input) (map[string]any, error) {
			v, err := cardcodes.CVV(in.Hex("cvk"), digits(in, "pan"), digits(in, "expiry"), digits(in, "service_code"))
			return map[string]any{"cvv": string(v)}, err
		},
		"card.icvv": func(in Input) (map[string]any, error) {
			v, err := cardcodes.ICVV(in.Hex("cvk"), digits(in, "pan"), digits(in, "expiry"))
			return map[string]any{"icvv": string(v)}, err
		},
		"card.cvv2": func(in Input) (map[string]any, error) {
			v, err := cardcodes.CVV2(in.Hex("cvk"), digits(in, "pan"), digits(in, "expiry"))
			return map[string]any{"cvv2": string(v)}, err
		},
		"card.dcvv": dcvv,
		"card.cvc3": cvc3,
	}
}

func digits(in Input, key string) []byte { return []byte(in.Digits(key)) }

func dcvv(in Input) (map[string]any, error) {
	option := cryptogram.OptionA
	if in.Text("option") == "B" {
		option = cryptogram.OptionB
	}
	key, err := codeKey(in, option)
	if err != nil {
		return nil, err
	}
	v, err := cardcodes.DCVV(key, digits(in, "pan"), digits(in, "expiry"), digits(in, "service_code"), in.Hex("atc"))
	return map[string]any{"dcvv": string(v)}, err
}

func cvc3(in Input) (map[string]any, error) {
	key, err := codeKey(in, cryptogram.OptionA)
	if err != nil {
		return nil, err
	}
	iv, err := cardcodes.IVCVC3(key, in.Hex("track"))
	if err != nil {
		return nil, err
	}
	v, err := cardcodes.CVC3(key, iv, in.Hex("un"), in.Hex("atc"))
	return map[string]any{"cvc3": string(v), "ivcvc3": iv}, err
}

// codeKey is the card's key for dynamic codes.
func codeKey(in Input, option cryptogram.Option) ([]byte, error) {
	k, err := cryptogram.CardKey(secret.New(in.Hex("imk")), cryptogram.Card{
		PAN: secret.New(digits(in, "pan")), PSN: in.Digits("psn"), Option: option,
	})
	return k.Expose(), err
}
