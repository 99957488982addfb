package dukpt_test

import (
	"testing"

	"tallystick.example/dukpt"
)

// BenchmarkTDESHostChain is what a host does for one message: initial key,
// transaction key of ten one bits, MAC of 256 bytes.
func BenchmarkTDESHostChain(b *testing.B) { hostChain(b, setups(b)[0], 0x1FF800) }

// BenchmarkAESHostChain is the same with sixteen one bits and AES-128.
func BenchmarkAESHostChain(b *testing.B) { hostChain(b, setups(b)[1], 0xFFFF0000) }

func hostChain(b *testing.B, su setup, counter uint32) {
	ksn, err := su.ksn.WithCounter(counter)
	if err != nil {
		b.Fatal(err)
	}
	data := make([]byte, 256)
	b.ReportAllocs()
	for b.Loop() {
		keys, err := su.base.Keys(ksn, 0)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := keys.MAC(dukpt.Request, data); err != nil {
			b.Fatal(err)
		}
		keys.Wipe()
	}
}

// BenchmarkTDESTerminal is one transaction of a terminal, without storing.
func BenchmarkTDESTerminal(b *testing.B) { terminal(b, setups(b)[0]) }

// BenchmarkAESTerminal is the same with AES-128.
func BenchmarkAESTerminal(b *testing.B) { terminal(b, setups(b)[1]) }

func terminal(b *testing.B, su setup) {
	state := su.state(b)
	b.ReportAllocs()
	for b.Loop() {
		next, keys, err := state.Advance()
		if err != nil {
			b.Fatal(err)
		}
		keys.Wipe()
		state.Wipe()
		state = next
	}
}
