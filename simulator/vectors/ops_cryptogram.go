package vectors

import (
	"fmt"

	"tallystick.example/emv/cryptogram"
	"tallystick.example/internal/pure/mac"
	"tallystick.example/internal/pure/secret"
)

// cryptogramOps are card and session keys, application cryptograms, the
// issuer's answers and secured scripts.
func cryptogramOps() map[string]Op {
	return map[string]Op{
		"emv.udk":               udk,
		"emv.session_key":       sessionKey,
		"emv.ac_input":          acInput,
		"emv.arqc":              arqc,
		"emv.arqc.de55":         arqcDE55,
		"emv.arpc":              arpc,
		"emv.script.mac":        scriptMAC,
		"emv.script.pin_change": pinChange,
	}
}

// cardOf is the card that pan, psn and option name.
func cardOf(in Input) (cryptogram.Card, error) {
	option := in.Text("option")
	if len(option) != 1 {
		return cryptogram.Card{}, fmt.Errorf("option %q", option)
	}
	return cryptogram.Card{PAN: secret.New(digits(in, "pan")), PSN: in.Digits("psn"), Option: cryptogram.Option(option[0])}, nil
}

func cardKey(in Input, imk string) (secret.Secret, error) {
	card, err := cardOf(in)
	if err != nil {
		return secret.Secret{}, err
	}
	return cryptogram.CardKey(secret.New(in.Hex(imk)), card)
}

// sessionOf is the session key of the card that imk makes.
func sessionOf(in Input, imk string) (secret.Secret, error) {
	card, err := cardKey(in, imk)
	if err != nil {
		return secret.Secret{}, err
	}
	return session(in.Object("session")).Key(card)
}

func session(in Input) cryptogram.Session {
	s := cryptogram.Session{Method: cryptogram.Method(in.Text("method"))}
	for key, field := range map[string]*[]byte{"atc": &s.ATC, "un": &s.UN, "r": &s.R, "iv": &s.IV} {
		if in.Has(key) {
			*field = in.Hex(key)
		}
	}
	if in.Has("height") {
		s.Height, s.Branch = in.Int("height"), in.Int("branch")
	}
	return s
}

// fieldsOf are the tags of a case as the libraries take them.
func fieldsOf(in Input, key string) (cryptogram.Fields, error) {
	fields := cryptogram.Fields{}
	for tag, value := range in.Tags(key) {
		if len(tag) > 8 {
			return nil, fmt.Errorf("tag of %d digits", len(tag))
		}
		var n uint32
		if _, err := fmt.Sscanf(tag, "%X", &n); err != nil {
			return nil, fmt.Errorf("tag: %w", err)
		}
		fields[n] = value
	}
	return fields, nil
}

func acOf(in Input) (cryptogram.AC, error) {
	b := in.Hex("arqc")
	if len(b) != len(cryptogram.AC{}) {
		return cryptogram.AC{}, fmt.Errorf("cryptogram of %d bytes", len(b))
	}
	return cryptogram.AC(b), nil
}

func udk(in Input) (map[string]any, error) {
	key, err := cardKey(in, "imk")
	if err != nil {
		return nil, err
	}
	kcv, err := mac.KCV(mac.DESZero, key.Expose(), mac.KCVLengthTDES)
	return map[string]any{"udk": key.Expose(), "kcv": kcv}, err
}

func sessionKey(in Input) (map[string]any, error) {
	key, err := session(in).Key(secret.New(in.Hex("key")))
	return map[string]any{"key": key.Expose()}, err
}

func acInput(in Input) (map[string]any, error) {
	fields, err := fieldsOf(in, "tags")
	if err != nil {
		return nil, err
	}
	profile := cryptogram.Profile(in.Text("profile"))
	data, err := profile.Input(fields)
	if err != nil {
		return nil, err
	}
	padded, err := profile.Padded(fields)
	return map[string]any{"data": data, "padded": padded}, err
}

func arqc(in Input) (map[string]any, error) {
	key, err := sessionOf(in, "imk")
	if err != nil {
		return nil, err
	}
	ac, err := cryptogram.NewAC(key, in.Hex("data"), cryptogram.Padding(in.Text("padding")))
	return map[string]any{"arqc": ac[:]}, err
}

func arqcDE55(in Input) (map[string]any, error) {
	key, err := cardKey(in, "imk")
	if err != nil {
		return nil, err
	}
	fields, err := fieldsOf(in, "tags")
	if err != nil {
		return nil, err
	}
	ac, err := cryptogram.Profile(in.Text("profile")).Generate(key, fields)
	return map[string]any{"arqc": ac[:]}, err
}

func arpc(in Input) (map[string]any, error) {
	key, err := sessionOf(in, "imk")
	if err != nil {
		return nil, err
	}
	ac, err := acOf(in)
	if err != nil {
		return nil, err
	}
	var out []byte
	switch m := in.Number("method"); m {
	case 1:
		out, err = cryptogram.ARPC1(key, ac, in.Hex("arc"))
	case 2:
		out, err = cryptogram.ARPC2(key, ac, in.Hex("csu"), in.Hex("proprietary"))
	default:
		err = fmt.Errorf("no method %d", m)
	}
	return map[string]any{"arpc": out}, err
}

func scriptMAC(in Input) (map[string]any, error) {
	key, err := sessionOf(in, "imk_smi")
	if err != nil {
		return nil, err
	}
	sum, err := cryptogram.ScriptMAC(key, in.Hex("header"), in.Hex("prefix"), in.Hex("data"))
	return map[string]any{"mac": sum[:]}, err
}

func pinChange(in Input) (map[string]any, error) {
	block, err := scriptBlock(in)
	if err != nil {
		return nil, err
	}
	integrity, err := sessionOf(in, "imk_smi")
	if err != nil {
		return nil, err
	}
	confidentiality, err := sessionOf(in, "imk_smc")
	if err != nil {
		return nil, err
	}
	command, err := cryptogram.PINChange{
		Header: in.Hex("header"), Prefix: in.Hex("prefix"), Block: block,
		Encipherment: cryptogram.Encipherment(in.Text("encipherment")),
	}.Command(integrity, confidentiality)
	return map[string]any{"command": command, "block": block.Expose()}, err
}

func scriptBlock(in Input) (secret.Secret, error) {
	pin := secret.New(digits(in, "pin"))
	switch form := in.Text("block"); form {
	case "iso2":
		return cryptogram.BlockISO2(pin)
	case "vis":
		key, err := cardKey(in, "imk_ac")
		if err != nil {
			return secret.Secret{}, err
		}
		var current secret.Secret
		if in.Has("current_pin") {
			current = secret.New(digits(in, "current_pin"))
		}
		return cryptogram.BlockVIS(key, pin, current)
	default:
		return secret.Secret{}, fmt.Errorf("no block %q", form)
	}
}
