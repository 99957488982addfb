package vectors

import (
	"fmt"

	"tallystick.example/dukpt"
	"tallystick.example/dukpt/pinblock"
)

// dukptTDESOps are the operations of ANSI X9.24-1:2009.
func dukptTDESOps() map[string]Op {
	return map[string]Op{
		"dukpt.tdes.keys":         tdesKeys,
		"dukpt.tdes.encrypt_pin":  tdesEncryptPIN,
		"dukpt.tdes.mac":          tdesMAC,
		"dukpt.tdes.encrypt_data": tdesEncryptData,
		"dukpt.tdes.decrypt_data": tdesDecryptData,
	}
}

func tdesKeys(in Input) (map[string]any, error) {
	base, k, err := transaction(dukpt.TDES, in)
	if err != nil {
		return nil, err
	}
	ik, err := base.InitialKey(k)
	if err != nil {
		return nil, err
	}
	key, err := dukpt.TransactionKey(ik, k)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"ik": ik, "key": key}
	for name, u := range map[string]dukpt.Usage{
		"pin_key":         dukpt.PINEncryption,
		"mac_request_key": dukpt.MACGeneration, "mac_response_key": dukpt.MACVerification,
		"data_request_key": dukpt.DataEncryption, "data_response_key": dukpt.DataDecryption,
	} {
		if out[name], err = dukpt.WorkingKey(key, k, dukpt.TDES2, u); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func tdesEncryptPIN(in Input) (map[string]any, error) {
	base, k, err := transaction(dukpt.TDES, in)
	if err != nil {
		return nil, err
	}
	key, err := base.WorkingKey(k, dukpt.TDES2, dukpt.PINEncryption)
	if err != nil {
		return nil, err
	}
	return encryptPIN(pinblock.ISO0, key, in, nil)
}

func tdesMAC(in Input) (map[string]any, error) {
	var a dukpt.MACAlgorithm
	switch name := in.Text("algorithm"); name {
	case "x9.19":
		a = dukpt.X919
	case "cmac":
		a = dukpt.CMAC
	default:
		return nil, fmt.Errorf("no algorithm %q", name)
	}
	base, k, err := transaction(dukpt.TDES, in)
	if err != nil {
		return nil, err
	}
	d, err := direction(in)
	if err != nil {
		return nil, err
	}
	key, err := base.WorkingKey(k, dukpt.TDES2, macUsage(d))
	if err != nil {
		return nil, err
	}
	code, err := dukpt.MAC(a, dukpt.TDES2, key, in.Hex("data"))
	if err != nil {
		return nil, err
	}
	cut, err := leftmost(code, in.Int("length"))
	return map[string]any{"mac": cut}, err
}

// tdesData gives the working keys and direction of an operation on data.
func tdesData(in Input) (*dukpt.WorkingKeys, dukpt.Direction, error) {
	base, k, err := transaction(dukpt.TDES, in)
	if err != nil {
		return nil, 0, err
	}
	d, err := direction(in)
	if err != nil {
		return nil, 0, err
	}
	keys, err := base.Keys(k, 0)
	return keys, d, err
}

func tdesEncryptData(in Input) (map[string]any, error) {
	keys, d, err := tdesData(in)
	if err != nil {
		return nil, err
	}
	ciphertext, err := keys.EncryptData(d, in.Hex("iv"), in.Hex("data"))
	return map[string]any{"ciphertext": ciphertext}, err
}

func tdesDecryptData(in Input) (map[string]any, error) {
	keys, d, err := tdesData(in)
	if err != nil {
		return nil, err
	}
	data, err := keys.DecryptData(d, in.Hex("iv"), in.Hex("ciphertext"))
	return map[string]any{"data": data}, err
}
