package oracletest_test

import (
	"testing"

	"tallystick.example/dukpt"
	"tallystick.example/dukpt/oracletest"
)

// host is the host derivation of package dukpt as an oracle: it shares no code
// for the way through the counter with the register machine.
type host struct {
	scheme dukpt.Scheme
	wrong  uint32 // a counter whose key it gets wrong
}

func (h host) InitialKey(bdk, ksn []byte) ([]byte, error) {
	k, err := dukpt.ParseKSN(h.scheme, ksn)
	if err != nil {
		return nil, err
	}
	return dukpt.InitialKey(bdk, k)
}

func (h host) TransactionKey(ik, ksn []byte) ([]byte, error) {
	k, err := dukpt.ParseKSN(h.scheme, ksn)
	if err != nil {
		return nil, err
	}
	key, err := dukpt.TransactionKey(ik, k)
	if err == nil && h.wrong != 0 && k.Counter() >= h.wrong {
		key[0] ^= 1
	}
	return key, err
}

func TestHostAsOracle(t *testing.T) {
	oracletest.Run(t, dukpt.TDES, 16, host{scheme: dukpt.TDES}, 1, 5, 200)
	for _, n := range []int{16, 24, 32} {
		oracletest.Run(t, dukpt.AES, n, host{scheme: dukpt.AES}, 2, 5, 200)
	}
}

// stopped notes a failure and ends the run, as a test does.
type stopped struct{ testing.TB }

func (s stopped) Helper()               {}
func (s stopped) Fatalf(string, ...any) { panic(s) }

func TestRunNoticesAWrongOracle(t *testing.T) {
	defer func() {
		if _, ok := recover().(stopped); !ok {
			t.Error("a wrong key was not noticed")
		}
	}()
	oracletest.Run(stopped{t}, dukpt.AES, 16, host{dukpt.AES, 100}, 3, 1, 200)
}
