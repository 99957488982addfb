package terminals

import (
	"crypto/sha256"
	"fmt"

	"tallystick.example/host/internal/store"
)

// AddCertificate registers a certificate of a terminal by its fingerprint, the
// SHA-256 of its DER form. notAfter is microseconds UTC. A fingerprint is
// registered once for ever (ErrExists): a revoked one cannot come back.
func AddCertificate(tx *store.Tx, id string, fingerprint []byte, notAfter int64) error {
	if len(fingerprint) != sha256.Size {
		return fmt.Errorf("%w: the fingerprint has %d bytes, want %d", ErrInput, len(fingerprint), sha256.Size)
	}
	if _, err := Get(tx, id); err != nil {
		return err
	}
	n, err := tx.Exec(`INSERT INTO terminal_certificate (fingerprint, terminal, not_after, status) VALUES ($1, $2, $3, $4) ON CONFLICT (fingerprint) DO NOTHING`,
		fingerprint, id, notAfter, string(Active))
	return added(n, err, "certificate of terminal "+id)
}

// RevokeCertificate makes a certificate unusable for ever, or answers
// ErrNotFound.
func RevokeCertificate(tx *store.Tx, fingerprint []byte) error {
	n, err := tx.Exec(`UPDATE terminal_certificate SET status = $2 WHERE fingerprint = $1`, fingerprint, string(Blocked))
	return changed(n, err, "certificate")
}

// ByCertificate gives the terminal, whatever its status, of a certificate that
// is not revoked, or ErrNotFound. Dates are checked where TLS ends.
func ByCertificate(q store.Querier, fingerprint []byte) (Terminal, error) {
	var t Terminal
	err := q.QueryRow(`SELECT t.id, t.merchant, t.status, t.since FROM terminal_certificate c JOIN terminal t ON t.id = c.terminal
		WHERE c.fingerprint = $1 AND c.status = $2`, fingerprint, string(Active)).Scan(&t.ID, &t.Merchant, &t.Status, &t.Since)
	return t, found(err, "certificate")
}

// A Certificate is a registered certificate.
type Certificate struct {
	Fingerprint []byte
	NotAfter    int64 // microseconds UTC
	Status      Status
}

// Certificates lists those of a terminal, the one that lasts longest first.
func Certificates(q store.Querier, id string) ([]Certificate, error) {
	var all []Certificate
	err := q.Each(func(scan store.Scan) error {
		var c Certificate
		err := scan(&c.Fingerprint, &c.NotAfter, &c.Status)
		all = append(all, c)
		return err
	}, `SELECT fingerprint, not_after, status FROM terminal_certificate WHERE terminal = $1 ORDER BY not_after DESC`, id)
	if err != nil {
		return nil, fmt.Errorf("listing the certificates of %s: %w", id, err)
	}
	return all, nil
}
