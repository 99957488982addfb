// Package xtls is the programs' use of TLS: a small certification authority for
// terminals and servers, and TLS 1.3 configurations that are mutual, without
// session tickets.
package xtls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"
)

// How long certificates live, and how far before now they begin, for clocks
// that are behind.
const (
	caLife       = 10 * 365 * 24 * time.Hour
	leafLife     = 825 * 24 * time.Hour
	clockSkew    = 5 * time.Minute
	serialBits   = 127
	pemCert      = "CERTIFICATE"
	pemKey       = "PRIVATE KEY"
	pemRequest   = "CERTIFICATE REQUEST"
	testCAMarker = "TEST ONLY"
)

// A CA signs certificates of terminals and servers. It is safe for concurrent
// use.
type CA struct {
	Cert *x509.Certificate
	key  crypto.Signer
}

// NewKey makes a P-256 key, PKCS #8 in PEM.
func NewKey() (crypto.Signer, []byte, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("making a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding a key: %w", err)
	}
	return k, pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der}), nil
}

// NewCA makes an authority of its own root. A test CA says so in its subject;
// only lab mode accepts it.
func NewCA(name string, test bool, now time.Time) (ca *CA, certPEM, keyPEM []byte, err error) {
	key, keyPEM, err := NewKey()
	if err != nil {
		return nil, nil, nil, err
	}
	subject := pkix.Name{CommonName: name}
	if test {
		subject.OrganizationalUnit = []string{testCAMarker}
	}
	t, err := template(subject, now, caLife)
	if err != nil {
		return nil, nil, nil, err
	}
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	ca = &CA{Cert: t, key: key}
	certPEM, err = ca.sign(t, key.Public())
	if err != nil {
		return nil, nil, nil, err
	}
	ca, err = LoadCA(certPEM, keyPEM)
	return ca, certPEM, keyPEM, err
}

// LoadCA reads an authority from the PEM texts that NewCA made.
func LoadCA(certPEM, keyPEM []byte) (*CA, error) {
	cert, err := ParseCertificate(certPEM)
	if err != nil {
		return nil, err
	}
	key, err := ParseKey(keyPEM)
	if err != nil {
		return nil, err
	}
	if !cert.IsCA {
		return nil, errors.New("the certificate is not an authority's")
	}
	return &CA{Cert: cert, key: key}, nil
}

// IsTest reports whether c comes from a test authority or is one.
func IsTest(c *x509.Certificate) bool {
	for _, ou := range append(c.Issuer.OrganizationalUnit, c.Subject.OrganizationalUnit...) {
		if ou == testCAMarker {
			return true
		}
	}
	return false
}

// SignTerminal signs a terminal's request (see NewRequest) when it asks for the
// identity want: clientAuth only, so that it can never pass for a server's.
func (ca *CA) SignTerminal(requestPEM []byte, want Identity, now time.Time) ([]byte, error) {
	if err := want.Check(); err != nil {
		return nil, err
	}
	b, _ := pem.Decode(requestPEM)
	if b == nil || b.Type != pemRequest {
		return nil, errors.New("not a certificate request in PEM")
	}
	r, err := x509.ParseCertificateRequest(b.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate request: %w", err)
	}
	if err := r.CheckSignature(); err != nil {
		return nil, fmt.Errorf("the certificate request is not signed by its key: %w", err)
	}
	if r.Subject.CommonName != want.Terminal || len(r.Subject.Organization) != 1 || r.Subject.Organization[0] != want.Merchant {
		return nil, fmt.Errorf("the request is for terminal %q of merchant %q, not for %q of %q",
			r.Subject.CommonName, r.Subject.Organization, want.Terminal, want.Merchant)
	}
	t, err := template(pkix.Name{CommonName: want.Terminal, Organization: []string{want.Merchant}}, now, leafLife)
	if err != nil {
		return nil, err
	}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return ca.sign(t, r.PublicKey)
}

// SignServer makes a server certificate (serverAuth only) for names, which are
// host names or IP addresses.
func (ca *CA) SignServer(pub crypto.PublicKey, names []string, now time.Time) ([]byte, error) {
	if len(names) == 0 {
		return nil, errors.New("a server certificate needs a name")
	}
	t, err := template(pkix.Name{CommonName: names[0]}, now, leafLife)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return ca.sign(t, pub)
}

// NewRequest makes the request (CSR, PEM) of a terminal for its key.
func NewRequest(key crypto.Signer, id Identity) ([]byte, error) {
	if err := id.Check(); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: id.Terminal, Organization: []string{id.Merchant}},
	}, key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate request: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemRequest, Bytes: der}), nil
}

func (ca *CA) sign(t *x509.Certificate, pub crypto.PublicKey) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, t, ca.Cert, pub, ca.key)
	if err != nil {
		return nil, fmt.Errorf("signing a certificate: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemCert, Bytes: der}), nil
}

func template(subject pkix.Name, now time.Time, life time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return nil, fmt.Errorf("drawing a serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: subject, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(life), BasicConstraintsValid: true,
	}, nil
}

// ParseCertificate reads one certificate in PEM.
func ParseCertificate(p []byte) (*x509.Certificate, error) {
	b, _ := pem.Decode(p)
	if b == nil || b.Type != pemCert {
		return nil, errors.New("not a certificate in PEM")
	}
	c, err := x509.ParseCertificate(b.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading a certificate: %w", err)
	}
	return c, nil
}

// ParseKey reads a PKCS #8 private key in PEM.
func ParseKey(p []byte) (crypto.Signer, error) {
	b, _ := pem.Decode(p)
	if b == nil || b.Type != pemKey {
		return nil, errors.New("not a private key in PEM")
	}
	k, err := x509.ParsePKCS8PrivateKey(b.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading a private key: %w", err)
	}
	s, ok := k.(crypto.Signer)
	if !ok {
		return nil, errors.New("the private key cannot sign")
	}
	return s, nil
}
