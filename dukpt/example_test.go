package dukpt_test

import (
	"crypto/rand"
	"fmt"

	"tallystick.example/dukpt"
	"tallystick.example/dukpt/pinblock"
)

// A terminal sends a PIN and a code, and a host that knows only the base key
// checks and reads them. The keys are the published ones of ANSI X9.24-1:2009.
func Example() {
	bdk := []byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10}
	ksn, err := dukpt.ParseKSN(dukpt.TDES, []byte{0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0x00, 0x00})
	if err != nil {
		panic(err)
	}
	base, err := dukpt.NewBase(dukpt.TDES, bdk)
	if err != nil {
		panic(err)
	}
	ik, err := base.InitialKey(ksn)
	if err != nil {
		panic(err)
	}

	// In the terminal.
	state, err := dukpt.NewState(ik, ksn)
	clear(ik)
	if err != nil {
		panic(err)
	}
	next, keys, err := state.Advance()
	if err != nil {
		panic(err)
	}
	// Here a program makes next durable, before it uses keys.
	state.Wipe()
	state = next
	pin, pan := []byte("1234"), []byte("4012345678909")
	block, err := keys.EncryptPIN(pinblock.ISO0, pin, pan, rand.Reader)
	if err != nil {
		panic(err)
	}
	code, err := keys.MAC(dukpt.Request, []byte("4012345678909D987"))
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s %X %X\n", keys.KSN(), block, code)
	keys.Wipe()

	// In the host's HSM.
	host, err := base.Keys(state.KSN(), 0)
	if err != nil {
		panic(err)
	}
	defer host.Wipe()
	ok, err := host.VerifyMAC(dukpt.Request, []byte("4012345678909D987"), code)
	if err != nil {
		panic(err)
	}
	clearPIN, err := host.DecryptPIN(pinblock.ISO0, block, pan)
	if err != nil {
		panic(err)
	}
	fmt.Println(ok, string(clearPIN))
	// Output:
	// FFFF9876543210E00001 1B9C1845EB993A7A 9CCC78173FC4FB64
	// true 1234
}
