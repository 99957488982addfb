// Package api is what the host may ask of the HSM boundary: whole operations,
// bound to an authenticated message, whose results are only of the types
// listed here. No operation returns a clear PIN, PIN length, key or PAN, and no
// verification takes free parameters.
//
// The package holds types and interfaces only; implementations live in
// internal/hsm/soft and internal/hsm/payshield, the conformance suite in
// internal/hsm/hsmtest, the wire between host and boundary in
// internal/hsm/wire.
package api

import (
	"context"
	"errors"

	"tallystick.example/internal/pure/secret"
)

// Errors of the boundary. Callers tell them apart with errors.Is; their texts
// carry no values.
var (
	// ErrUnavailable means that the boundary could not be asked or is locked:
	// nothing is known of the operation, and it may be asked again.
	ErrUnavailable = errors.New("hsm: the boundary cannot be reached or is locked")
	// ErrHandle means that a handle is unknown, has died with its connection or
	// is older than 30 seconds.
	ErrHandle = errors.New("hsm: handle unknown or expired")
	// ErrKey means that a key block does not open under the LMK, or that its
	// usage, algorithm or mode does not allow the operation.
	ErrKey = errors.New("hsm: key refused")
	// ErrInput means that the message or a parameter is malformed.
	ErrInput = errors.New("hsm: malformed input")
	// ErrPolicy means that the operation is well formed but not allowed, such as
	// a lab operation outside lab mode or a checkpoint that goes backwards.
	ErrPolicy = errors.New("hsm: refused by policy")
)

// A KeyBlock is a key at rest: a TR-31 version D block under the LMK.
type KeyBlock string

// Scheme is the DUKPT variant of a key set.
type Scheme string

// The schemes of key sets.
const (
	SchemeTDES Scheme = "tdes" // X9.24-1:2009, 10-byte KSN
	SchemeAES  Scheme = "aes"  // X9.24-3:2017, 12-byte KSN, AES-128 working keys
)

// A KeySet is one registered DUKPT key set of a terminal. A KSN outside the
// registered sets of its terminal is refused.
type KeySet struct {
	Scheme Scheme
	// ID is what a KSN of this set begins with, its counter bits cleared: the
	// 8-byte initial key ID for AES, the 10-byte initial KSN for TDES.
	ID []byte
	// BDK is the base derivation key (usage B0, mode X) under the LMK.
	BDK KeyBlock
	// PIN, MAC and Data tell what the set may be used for.
	PIN, MAC, Data bool
}

// A Handle names the secrets of one opened message inside the boundary. It
// belongs to the connection that opened it and dies with it, or after 30 s.
type Handle uint64

// MACVerdict is what the boundary found about the MAC of a message.
type MACVerdict string

// Verdicts on a MAC.
const (
	MACValid      MACVerdict = "valid"
	MACInvalid    MACVerdict = "invalid"     // the handle may still seal a refusal
	MACUnknownKSN MACVerdict = "unknown_ksn" // no registered set, or not a valid counter: no handle
	MACMissing    MACVerdict = "missing"     // no MAC or no KSN in the message: no handle
)

// OpenRequest asks to authenticate one message of a terminal and to take its
// secrets inside.
type OpenRequest struct {
	// Message is the terminal's message exactly as received, from the MTI to the
	// MAC, without length header and TPDU. The boundary parses it itself, so that
	// nothing can be moved between messages.
	Message []byte
	// KeySets are the registered sets of the terminal that the certificate named.
	KeySets []KeySet
}

// Opened is what the host learns from an authenticated message.
type Opened struct {
	MAC    MACVerdict
	Handle Handle // zero when there is none

	// SetID and Counter are the key set and DUKPT counter of the MAC.
	SetID   []byte
	Counter uint32
	// DataSetID and DataCounter are those of the card data, zero when absent.
	DataSetID   []byte
	DataCounter uint32
	// PINSetID and PINCounter are those of the PIN block, zero when absent. They
	// are those of the MAC unless a PIN pad brings a key set of its own.
	PINSetID   []byte
	PINCounter uint32
	// Digest is SHA-256 over Message: same bytes, same message (rule 8).
	Digest [32]byte

	HasCard       bool // card data were present and well formed
	HasPIN        bool // a PIN block is present (its content is not known yet)
	HasCryptogram bool // DE 55 holds 9F26, 9F36 and 9F10

	Card Card // zero unless HasCard
}

// Card is what leaves the boundary of card data.
type Card struct {
	// Lookup is the keyed look-up value of the PAN (HMAC-SHA-256 under a
	// boundary key), the same for the same PAN for ever.
	Lookup [32]byte
	// NewToken and NewSealed are a fresh token (≥ 96 random bits, never
	// Luhn-valid) and the PAN sealed under AES-256-GCM with the token as
	// associated data. The host stores them only when Lookup is new to it.
	NewToken  string
	NewSealed []byte
	BIN       string // 8 digits, 6 for PANs shorter than 16
	LastFour  string
	Expiry    string // YYMM
	PSN       string // two digits, empty when the card gave none
	// ServiceCode is from track 2 equivalent data, empty when absent.
	ServiceCode string
}

// PINVerdict and CryptogramVerdict are results of Verify. A malformed PIN block
// and a wrong PIN are one verdict, in one timing class.
type (
	PINVerdict        string
	CryptogramVerdict string
	CardCodeVerdict   string
)

// Verdicts of Verify.
const (
	PINNone  PINVerdict = "none"
	PINRight PINVerdict = "right"
	PINWrong PINVerdict = "wrong"
	// PINBlocked is the boundary's own brake: too many wrong PINs for this PAN
	// through this boundary, whatever the issuer's counter says.
	PINBlocked PINVerdict = "blocked"

	CryptogramNone  CryptogramVerdict = "none"
	CryptogramRight CryptogramVerdict = "right"
	CryptogramWrong CryptogramVerdict = "wrong"

	CardCodeNone  CardCodeVerdict = "none" // not asked for, or the message carries none
	CardCodeRight CardCodeVerdict = "right"
	CardCodeWrong CardCodeVerdict = "wrong"
)

// VerifyRequest asks for the PIN and the cryptogram of an opened message to be
// checked against an issuer's sealed reference record.
type VerifyRequest struct {
	Handle Handle
	// Reference is the record that Personalize sealed: PAN, PSN, PIN
	// verification value and its key index, cryptogram profile. It opens only
	// for the PAN of the handle.
	Reference []byte
	// IMK is the issuer master key for cryptograms (usage E0), PVK the PIN
	// verification key (usage V2 for a PVV, V1 for an IBM 3624 offset, as the
	// card was personalized), CVK the card verification key (usage C0). Each is
	// needed only for its check.
	IMK, PVK, CVK KeyBlock
	// PIN, Cryptogram and CardCode select what is checked. The card code is the
	// iCVV of a chip, the CVV of a stripe or a keyed CVV2, by the entry mode in
	// DE 22 of the opened message. A PIN is verified once for a handle: asking
	// again gives ErrPolicy.
	PIN, Cryptogram, CardCode bool
}

// Verdict is the answer to Verify.
type Verdict struct {
	PIN        PINVerdict
	Cryptogram CryptogramVerdict
	CardCode   CardCodeVerdict
	// ReferenceOK tells that the reference record opened and belongs to the PAN
	// of the handle; false makes the other verdicts none.
	ReferenceOK bool
}

// SealRequest asks for an answer to be finished: ARPC and MAC.
type SealRequest struct {
	Handle Handle
	// Answer is the packed answer with its MAC field present and zero.
	Answer []byte
	// ARC asks for an ARPC over the cryptogram of the handle and this two-byte
	// authorisation response code, put into DE 55 as tag 91; empty asks for
	// none. It needs a cryptogram that Verify found right. The method follows the
	// cryptogram profile of the card (EMV Book 2, 8.2): method 1 gives ARPC and
	// ARC, method 2 (visa_cvn18, visa_cvn22, ccd_a5) the short ARPC and a card
	// status update that says approved for ARC 00 and 10 and nothing else.
	ARC string
}

// Sealed is a finished answer.
type Sealed struct {
	// Answer has the ARPC in DE 55 and a MAC under the counter of the message
	// that it answers; it is never stored.
	Answer []byte
	// IssuerAuthData is the value of tag 91, empty when none was asked for. It
	// is stored with the answer, so that a repeat gets the same one.
	IssuerAuthData []byte
}

// Checkpoint is a signed statement that an audit chain had Count entries and
// ended in Head.
type Checkpoint struct {
	Node  string // 1 to 16 letters, digits, '-'
	Boot  uint64 // number of the start of the node
	Count uint64 // entries of the chain of Node so far
	Head  [32]byte
	// Signature is Ed25519 by the boundary's checkpoint key over the other
	// fields (see CheckpointBytes).
	Signature []byte
}

// Boundary is the part of the HSM that payments use. All methods may be called
// by many goroutines at once; a handle is used by one at a time.
type Boundary interface {
	// Open authenticates a message and takes its secrets inside. A MAC that does
	// not fit is a verdict, not an error.
	Open(context.Context, OpenRequest) (Opened, error)
	// Verify checks PIN and cryptogram of an opened message.
	Verify(context.Context, VerifyRequest) (Verdict, error)
	// Seal finishes the answer to an opened message. It may be called once for a
	// handle, which is then gone.
	Seal(context.Context, SealRequest) (Sealed, error)
	// Release forgets a handle that gets no answer. Unknown handles are ignored.
	Release(context.Context, Handle) error
	// SignCheckpoint signs an audit head. It refuses with ErrPolicy when Count is
	// below what it signed before for the node, or equal with another head, or
	// boot is older, over restarts.
	SignCheckpoint(ctx context.Context, node string, boot, count uint64, head [32]byte) (Checkpoint, error)
	// Reseal opens a sealed PAN and seals it again under the newest sealing key,
	// for the same token. A record of another token gives ErrInput.
	Reseal(ctx context.Context, token string, sealed []byte) ([]byte, error)
}

// KeySpec says what key to make or import. The fields have the meaning and
// letters of a TR-31 header.
type KeySpec struct {
	Usage     string // "B0", "E0", "V2", "K0", "K1", …
	Algorithm string // "A" AES, "T" TDES
	Mode      string // "X", "B", "N", …
	Bytes     int    // key length: 16, 24 or 32
}

// A Key is a key under the LMK with what may be known of it.
type Key struct {
	Block KeyBlock
	KCV   string // hex: 6 digits (TDES) or 10 (AES CMAC)
	Spec  KeySpec
	Test  bool // marked as a test key: only lab mode accepts it
}

// ImportClear brings a clear key in. Only lab mode allows it, and the key is
// marked as a test key.
type ImportClear struct {
	Spec KeySpec
	Key  secret.Secret
}

// InitialKeyRequest asks for the initial DUKPT key of one terminal, to carry it
// there.
type InitialKeyRequest struct {
	Set KeySet // ID names the terminal's set, BDK its base key
	// Transport is the key-encryption key (usage K0 or K1) that wraps it.
	Transport KeyBlock
}

// Exported is a key for somebody else: a TR-31 D block under a transport key.
type Exported struct {
	Block string
	KCV   string
}

// Transport is a fresh transport key: under the LMK, and in two components for
// two custodians. The components leave the boundary once, here.
type Transport struct {
	Key        Key
	Components [2]secret.Secret
}

// Personalize asks for the issuer's reference record of a card.
type Personalize struct {
	PAN     secret.Secret // digits
	PIN     secret.Secret // 4 to 12 digits, empty for a card without PIN
	PSN     string        // two digits
	Expiry  string        // YYMM
	Profile string        // cryptogram profile, such as "visa_cvn18"; empty for a card without chip
	PVK     KeyBlock      // usage V2 makes a PVV, V1 an IBM 3624 offset; empty without PIN
	// CodeAt is where the card verification value begins in the discretionary
	// data of track 2, counted in digits after the service code: 5 when a key
	// index and a PVV come first. At most 10.
	CodeAt int
}

// Personalized is a card as the host may know it.
type Personalized struct {
	Card      Card
	Reference []byte // sealed with the PAN; see VerifyRequest
}

// Info describes a boundary.
type Info struct {
	Version       string
	Lab           bool
	LMKCheck      string // KCV of the LMK
	CheckpointKey []byte // Ed25519 public key that verifies checkpoints
	Driver        string // "soft" or "payshield"
}

// Administration is the part of the HSM that operators use; each call is
// audited before it acts. It travels over a socket of its own, which other
// users may be kept from.
type Administration interface {
	Info(context.Context) (Info, error)
	GenerateKey(context.Context, KeySpec) (Key, error)
	ImportClear(context.Context, ImportClear) (Key, error)
	NewTransport(context.Context) (Transport, error)
	InitialKey(context.Context, InitialKeyRequest) (Exported, error)
	// ImportBlock brings a key in from a TR-31 version D block under a transport
	// key (usage K0 or K1). It keeps its usage, algorithm and mode.
	ImportBlock(ctx context.Context, transport KeyBlock, block string) (Key, error)
	// RotateSealing makes a new PAN sealing key and returns its version; records
	// of older versions stay readable and are moved by Reseal.
	RotateSealing(context.Context) (uint32, error)
	// ClearPINBrake sets the boundary's count of wrong PINs of a card to zero.
	ClearPINBrake(ctx context.Context, lookup [32]byte) error
	Personalize(context.Context, Personalize) (Personalized, error)
}

// HSM is a whole boundary.
type HSM interface {
	Boundary
	Administration
}
