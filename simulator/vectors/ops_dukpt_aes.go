package vectors

import (
	"fmt"

	"tallystick.example/dukpt"
	"tallystick.example/dukpt/pinblock"
)

// dukptAESOps are the operations of ANSI X9.24-3:2017.
func dukptAESOps() map[string]Op {
	return map[string]Op{
		"dukpt.aes.keys":         aesKeys,
		"dukpt.aes.working_key":  aesWorkingKey,
		"dukpt.aes.encrypt_pin":  aesEncryptPIN,
		"dukpt.aes.mac":          aesMAC,
		"dukpt.aes.encrypt_data": aesEncryptData,
		"dukpt.aes.decrypt_data": aesDecryptData,
		"dukpt.aes.update_key":   aesUpdateKey,
	}
}

func aesKeys(in Input) (map[string]any, error) {
	base, k, err := transaction(dukpt.AES, in)
	if err != nil {
		return nil, err
	}
	ik, err := base.InitialKey(k)
	if err != nil {
		return nil, err
	}
	key, err := dukpt.TransactionKey(ik, k)
	return map[string]any{"ik": ik, "key": key}, err
}

// aesKey derives the working key of an input, whose type is in key_type.
func aesKey(in Input, u dukpt.Usage) (dukpt.KeyType, []byte, error) {
	t, err := dukpt.ParseKeyType(in.Text("key_type"))
	if err != nil {
		return t, nil, err
	}
	base, k, err := transaction(dukpt.AES, in)
	if err != nil {
		return t, nil, err
	}
	key, err := base.WorkingKey(k, t, u)
	return t, key, err
}

func aesWorkingKey(in Input) (map[string]any, error) {
	u, err := dukpt.ParseUsage(in.Text("usage"))
	if err != nil {
		return nil, err
	}
	_, key, err := aesKey(in, u)
	return map[string]any{"key": key}, err
}

func aesEncryptPIN(in Input) (map[string]any, error) {
	_, key, err := aesKey(in, dukpt.PINEncryption)
	if err != nil {
		return nil, err
	}
	return encryptPIN(pinblock.ISO4, key, in, in.Hex("random"))
}

func aesMAC(in Input) (map[string]any, error) {
	var a dukpt.MACAlgorithm
	switch name := in.Text("algorithm"); name {
	case "cmac":
		a = dukpt.CMAC
	case "hmac_sha256":
		a = dukpt.HMACSHA256
	default:
		return nil, fmt.Errorf("no algorithm %q", name)
	}
	d, err := direction(in)
	if err != nil {
		return nil, err
	}
	t, key, err := aesKey(in, macUsage(d))
	if err != nil {
		return nil, err
	}
	code, err := dukpt.MAC(a, t, key, in.Hex("data"))
	return map[string]any{"mac": code}, err
}

func aesEncryptData(in Input) (map[string]any, error) {
	d, err := direction(in)
	if err != nil {
		return nil, err
	}
	t, key, err := aesKey(in, dataUsage(d))
	if err != nil {
		return nil, err
	}
	ciphertext, err := dukpt.EncryptCBC(t, key, in.Hex("iv"), in.Hex("data"))
	return map[string]any{"ciphertext": ciphertext}, err
}

func aesDecryptData(in Input) (map[string]any, error) {
	d, err := direction(in)
	if err != nil {
		return nil, err
	}
	t, key, err := aesKey(in, dataUsage(d))
	if err != nil {
		return nil, err
	}
	data, err := dukpt.DecryptCBC(t, key, in.Hex("iv"), in.Hex("ciphertext"))
	return map[string]any{"data": data}, err
}

func aesUpdateKey(in Input) (map[string]any, error) {
	t, err := dukpt.ParseKeyType(in.Text("key_type"))
	if err != nil {
		return nil, err
	}
	k, err := dukpt.ParseID(dukpt.AES, in.Hex("initial_key_id"))
	if err != nil {
		return nil, err
	}
	key, err := dukpt.UpdateKey(in.Hex("ik"), k, t)
	return map[string]any{"key": key}, err
}
