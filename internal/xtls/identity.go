package xtls

import (
	"crypto/x509"
	"errors"
	"fmt"
	"regexp"
)

// An Identity is who a terminal's certificate says it is.
type Identity struct {
	Terminal string // DE 41, 8 characters: subject CN
	Merchant string // DE 42, 15 characters: subject O
}

var (
	terminalID = regexp.MustCompile(`^[A-Z0-9]{8}$`)
	merchantID = regexp.MustCompile(`^[A-Z0-9]{15}$`)
)

// Check reports an identity that cannot stand in DE 41 and DE 42: 8 and 15
// capital letters and digits.
func (i Identity) Check() error {
	if !terminalID.MatchString(i.Terminal) {
		return fmt.Errorf("terminal id %q is not 8 capital letters and digits", i.Terminal)
	}
	if !merchantID.MatchString(i.Merchant) {
		return fmt.Errorf("merchant id %q is not 15 capital letters and digits", i.Merchant)
	}
	return nil
}

// IdentityOf reads the identity of a terminal's certificate. It refuses a
// certificate that may also be a server's.
func IdentityOf(c *x509.Certificate) (Identity, error) {
	for _, u := range c.ExtKeyUsage {
		if u != x509.ExtKeyUsageClientAuth {
			return Identity{}, errors.New("the certificate is not for clients alone")
		}
	}
	if len(c.ExtKeyUsage) == 0 || len(c.Subject.Organization) != 1 {
		return Identity{}, errors.New("the certificate is not a terminal's")
	}
	i := Identity{Terminal: c.Subject.CommonName, Merchant: c.Subject.Organization[0]}
	return i, i.Check()
}
