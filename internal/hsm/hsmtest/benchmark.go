package hsmtest

import (
	"testing"

	"tallystick.example/internal/hsm/api"
)

// Benchmark measures a whole payment with PIN and cryptogram (Open, Verify,
// Seal) for both schemes, one after the other and from many goroutines.
func Benchmark(b *testing.B, open Open) {
	x := start(b, open, Options{})
	p := x.personalize(api.Personalize{PAN: text(chipPAN), PSN: "01", PIN: text("1234"), PVK: x.pvk, Profile: "visa_cvn10"})
	for _, tm := range []*terminal{x.aes, x.tdes} {
		message := tm.message(b, payment{card: plain(chipPAN), pin: "1234", chip: unhex(b, chipData)})
		reply, sets := answer(b, message, "00"), []api.KeySet{tm.set}
		once := func() error {
			o, err := x.hsm.Open(b.Context(), api.OpenRequest{Message: message, KeySets: sets})
			if err != nil {
				return err
			}
			if _, err = x.hsm.Verify(b.Context(), x.withKeys(api.VerifyRequest{Handle: o.Handle, Reference: p.Reference, PIN: true, Cryptogram: true})); err != nil {
				return err
			}
			_, err = x.hsm.Seal(b.Context(), api.SealRequest{Handle: o.Handle, Answer: reply, ARC: "00"})
			return err
		}
		b.Run(string(tm.set.Scheme), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := once(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(string(tm.set.Scheme)+"/parallel", func(b *testing.B) {
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := once(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
