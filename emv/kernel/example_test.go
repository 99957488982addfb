package kernel_test

import (
	"context"
	"fmt"
	"log"

	"tallystick.example/emv/kernel"
	"tallystick.example/internal/pure/secret"
)

func Example() {
	ctx := context.Background()
	card := newCard()   // a kernel.Card: in a terminal the reader's driver
	cfg := testConfig() // terminal type, capabilities, AIDs with limits and action codes
	session, err := kernel.Select(ctx, card, cfg, kernel.Callbacks{
		CardRead: func(_ context.Context, card *kernel.CardInfo, t *kernel.Transaction) error {
			t.Amount = 12345 // the till may still change the amount
			fmt.Println("card", card.Label)
			return nil
		},
		OfflinePIN: func(_ context.Context, p kernel.PINPrompt) (kernel.PINStatus, secret.Secret, error) {
			fmt.Println("PIN, tries left:", p.TriesLeft)
			return kernel.PINEntered, secret.New([]byte("1234")), nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	request, err := session.First(ctx, testTransaction())
	if err != nil {
		log.Fatal(err)
	}
	if request.Outcome == nil { // the card wants the issuer to decide: send request.DE55
		answer := kernel.Answer{Approved: true, ARC: "00"}
		request.Outcome = session.Second(ctx, answer)
	}
	fmt.Println(request.Outcome.Result, request.Outcome.CVM)
	// Output:
	// card CARD
	// PIN, tries left: 3
	// approved Plaintext PIN verified by ICC, if the terminal supports the CVM: successful
}
