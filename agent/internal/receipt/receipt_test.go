package receipt

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the golden files anew")

func approved() Receipt {
	return Receipt{
		Lab: true, MerchantName: "Corner Shop", Address: []string{"1 High Street", "Exampletown"},
		MerchantID: "MERCHANT0000001", TerminalID: "TERM0001",
		At: time.Date(2026, 11, 25, 14, 3, 9, 0, time.UTC), Kind: "PURCHASE",
		Amount: 1234, Currency: "EUR", Exponent: 2,
		STAN: "000041", RRN: "632914000041", AuthCode: "A1B2C3", ResponseCode: "00",
		Approved: true, Outcome: "APPROVED",
		EntryMode: "CHIP", LastFour: "0006", AID: "A0000000031010", Label: "Visa Credit",
		Cryptogram: "TC 8A7F3C0011223344", Verification: ByPIN,
		TVR: "8000008000", TSI: "F800", ARC: "00", IAD: "06010A03A0B80000000000000000000000000000000000000000000000000000", ATC: "001F",
		Footer: []string{"Thank you"},
	}
}

// cases are the golden receipts.
func cases() map[string]Receipt {
	declined := approved()
	declined.Lab, declined.Approved, declined.Outcome, declined.Reason = false, false, "DECLINED", "Not sufficient funds. Please use another card or pay in cash."
	declined.AuthCode, declined.ResponseCode, declined.Cryptogram, declined.Verification = "", "51", "AAC 0011223344556677", NotVerified
	cashback := approved()
	cashback.Kind, cashback.Amount, cashback.Cashback = "PURCHASE WITH CASHBACK", 6234, 5000
	signature := approved()
	signature.Verification = BySignature
	noCard := approved()
	noCard.Approved, noCard.Outcome, noCard.Reason, noCard.LastFour, noCard.AuthCode, noCard.ResponseCode, noCard.RRN = false, "CANCELLED", "No card was presented.", "", "", "", ""
	yen := approved()
	yen.Currency, yen.Exponent, yen.Amount = "JPY", 0, 1200
	return map[string]Receipt{"approved": approved(), "declined": declined, "cashback": cashback, "signature": signature, "no-card": noCard, "yen": yen}
}

func TestGolden(t *testing.T) {
	for name, r := range cases() {
		for _, c := range []Copy{Merchant, Customer} {
			file := filepath.Join("testdata", name+"-"+strings.ToLower(strings.Fields(c.String())[0])+".txt")
			got := r.Text(c)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s:\n%s\nwant\n%s", file, got, want)
			}
		}
	}
}

func TestEveryLineFitsThePaper(t *testing.T) {
	for name, r := range cases() {
		for _, c := range []Copy{Merchant, Customer} {
			for line := range strings.Lines(r.Text(c)) {
				if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > Width {
					t.Errorf("%s: %q is too long", name, line)
				}
			}
		}
	}
}

func TestLabSaysTest(t *testing.T) {
	r := approved()
	for _, c := range []Copy{Merchant, Customer} {
		if !strings.Contains(r.Text(c), "TEST") {
			t.Errorf("%v of the lab does not say TEST", c)
		}
	}
	r.Lab = false
	if strings.Contains(r.Text(Merchant), "TEST") {
		t.Error("a real receipt says TEST")
	}
}

func TestControlCharactersDoNotReachThePrinter(t *testing.T) {
	r := approved()
	r.Label = "Vi\x1b@sa\r\n\x07"
	if got := r.Text(Customer); strings.ContainsAny(got, "\x1b\r\x07") {
		t.Errorf("%q", got)
	}
}

func TestMoney(t *testing.T) {
	for _, c := range []struct {
		minor    int64
		exponent int
		want     string
	}{{0, 2, "0.00 EUR"}, {5, 2, "0.05 EUR"}, {123456, 2, "1234.56 EUR"}, {1200, 0, "1200 EUR"}, {1234, 3, "1.234 EUR"}} {
		if got := Money(c.minor, c.exponent, "EUR"); got != c.want {
			t.Errorf("%d: %q, want %q", c.minor, got, c.want)
		}
	}
}
