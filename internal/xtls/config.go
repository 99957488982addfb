package xtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// Server returns the configuration of a host: TLS 1.3, client certificates of
// clientCA required, no session tickets, so that admit runs for each
// connection. admit gets the verified leaf of the client and may refuse it, such
// as a terminal that is blocked; it must be safe for concurrent use.
func Server(certPEM, keyPEM, clientCA []byte, admit func(*x509.Certificate) error) (*tls.Config, error) {
	pair, pool, err := load(certPEM, keyPEM, clientCA)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
		SessionTicketsDisabled: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return errors.New("no client certificate")
			}
			return admit(s.PeerCertificates[0])
		},
	}, nil
}

// Client returns the configuration of a terminal: TLS 1.3, the server must show
// a certificate of serverCA for serverName that is for servers.
func Client(certPEM, keyPEM, serverCA []byte, serverName string) (*tls.Config, error) {
	pair, pool, err := load(certPEM, keyPEM, serverCA)
	if err != nil {
		return nil, err
	}
	if serverName == "" {
		return nil, errors.New("the server's name is missing")
	}
	// Go itself demands ExtKeyUsageServerAuth of a server's certificate, so that
	// a terminal's certificate cannot pass for one.
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair},
		RootCAs: pool, ServerName: serverName, SessionTicketsDisabled: true,
	}, nil
}

func load(certPEM, keyPEM, caPEM []byte) (tls.Certificate, *x509.CertPool, error) {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("certificate and key do not fit: %w", err)
	}
	pool, err := Pool(caPEM)
	return pair, pool, err
}

// Pool reads the certificates of authorities. The error says that there is none.
func Pool(caPEM []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(caPEM) {
		return nil, errors.New("no certificate of an authority was found")
	}
	return pool, nil
}
