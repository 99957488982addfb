package card

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"tallystick.example/emv/cryptogram"
	"tallystick.example/emv/transport"
	"tallystick.example/internal/pure/secret"
)

// Status words (EMV Book 3, 6.3.5; ISO/IEC 7816-4).
const (
	swOK                = 0x9000
	swAuthFailed        = 0x6300
	swTriesLeft         = 0x63C0 // plus the number of tries
	swBlockedFile       = 0x6283
	swLength            = 0x6700
	swBlocked           = 0x6983
	swReferenceUnusable = 0x6984
	swConditions        = 0x6985
	swSecureMessaging   = 0x6988
	swData              = 0x6A80
	swFunction          = 0x6A81
	swNotFound          = 0x6A82
	swNoRecord          = 0x6A83
	swP1P2              = 0x6A86
	swNoData            = 0x6A88
	swINS               = 0x6D00
	swCLA               = 0x6E00
)

// ErrMute means that the card gives no answer: a fault of the profile, or a card
// that could not make its state durable.
var ErrMute = errors.New("card: no answer")

// A Card is a powered card at the level of commands. One goroutine uses it.
type Card struct {
	profile  *Profile
	store    *Store
	random   io.Reader
	log      *Log
	apps     []*app
	pin      secret.Secret
	selected *app
	inPSE    bool
	listName []byte // name of the last SELECT, for the next occurrence
	listAt   int    // index of the next application to look at
	tx       transaction
}

// A transaction is what the card knows from GET PROCESSING OPTIONS on.
type transaction struct {
	open         bool // GPO was done
	fields       cryptogram.Fields
	first        byte  // what the first GENERATE AC answered: 00, 40 or 80
	firstDone    bool  //
	second       *byte // what the second answered, nil before
	ac           cryptogram.AC
	unableOnline bool
	pinTried     bool
	pinRight     bool
	pinHidden    bool     // the PIN came enciphered
	challenge    []byte   // of GET CHALLENGE, for the next command alone
	dynamic      bool     // a dynamic signature was given
	combined     [2]bool  // combined signatures were given: first and second GENERATE AC
	signed       [][]byte // values of PDOL, CDOL1 and CDOL2 as they came
	issuerAuth   authResult
	approved     bool // the issuer's answer approves
	scriptCount  int
}

type authResult int

const (
	authNone authResult = iota
	authRight
	authFailed
)

// New makes a card of a profile and its state. random gives challenges; log may
// be nil. The card is not powered: Reset comes first.
func New(p *Profile, store *Store, random io.Reader, log *Log) (*Card, error) {
	c := &Card{profile: p, store: store, random: random, log: log, pin: secret.New([]byte(p.PIN))}
	for i := range p.Apps {
		a, err := personalize(&p.Apps[i], store.state.Apps[p.Apps[i].AID], p.Faults.WrongCertificate)
		if err != nil {
			return nil, fmt.Errorf("application %d: %w", i+1, err)
		}
		c.apps = append(c.apps, a)
	}
	return c, nil
}

// Reset is what power does to a card: nothing is selected and no transaction is
// open. What the state holds stays.
func (c *Card) Reset() {
	c.selected, c.inPSE, c.listName, c.listAt = nil, false, nil, 0
	c.tx = transaction{}
}

// Wipe clears the card's keys and PIN.
func (c *Card) Wipe() {
	c.pin.Wipe()
	for _, a := range c.apps {
		a.cardKey.Wipe()
		a.scriptKey.Wipe()
	}
}

// Transmit answers a command. ErrMute means that no answer comes.
func (c *Card) Transmit(command transport.Command) (transport.Response, error) {
	name := c.commandName(command)
	r, err := c.faulty(name, command)
	c.log.exchange(c, name, command, r, err)
	return r, err
}

// faulty carries out the command unless the profile has a fault for it.
func (c *Card) faulty(name string, command transport.Command) (transport.Response, error) {
	if slices.Contains(c.profile.Faults.Mute, name) {
		return transport.Response{}, ErrMute
	}
	if status, there := c.profile.Faults.Status[name]; there {
		b := unhex(status)
		return refuse(uint16(b[0])<<8 | uint16(b[1]))
	}
	if c.store.state.Blocked {
		return refuse(swFunction) // EMV Book 1, 12.3.2: the card is blocked
	}
	h, ok := handlers[name]
	if !ok {
		return refuse(c.unknown(command))
	}
	challenge := c.tx.challenge
	r, err := h(c, command)
	if name != cmdGetChallenge && challenge != nil {
		c.tx.challenge = nil // it was good for one command
	}
	return r, err
}

func refuse(sw uint16) (transport.Response, error) { return transport.Response{SW: sw}, nil }

func answer(data []byte) (transport.Response, error) {
	return transport.Response{Data: data, SW: swOK}, nil
}

func (c *Card) unknown(command transport.Command) uint16 {
	if command.CLA != 0x00 && command.CLA != 0x80 && command.CLA != 0x84 && command.CLA != 0x8C {
		return swCLA
	}
	return swINS
}

// Names of the commands, as profiles and the log write them.
const (
	cmdSelect       = "select"
	cmdGPO          = "get_processing_options"
	cmdReadRecord   = "read_record"
	cmdGetData      = "get_data"
	cmdVerify       = "verify"
	cmdGenerateAC1  = "generate_ac_1"
	cmdGenerateAC2  = "generate_ac_2"
	cmdExternalAuth = "external_authenticate"
	cmdGetChallenge = "get_challenge"
	cmdInternalAuth = "internal_authenticate"
	cmdScript       = "script"
	cmdUnknown      = "unknown"
)

var commandNames = []string{
	cmdSelect, cmdGPO, cmdReadRecord, cmdGetData, cmdVerify, cmdGenerateAC1, cmdGenerateAC2,
	cmdExternalAuth, cmdInternalAuth, cmdGetChallenge, cmdScript,
}

var handlers map[string]func(*Card, transport.Command) (transport.Response, error)

func init() {
	handlers = map[string]func(*Card, transport.Command) (transport.Response, error){
		cmdSelect: (*Card).selectFile, cmdGPO: (*Card).getProcessingOptions, cmdReadRecord: (*Card).readRecord,
		cmdGetData: (*Card).getData, cmdVerify: (*Card).verify, cmdGenerateAC1: (*Card).firstGenerateAC,
		cmdGenerateAC2: (*Card).secondGenerateAC, cmdExternalAuth: (*Card).externalAuthenticate,
		cmdInternalAuth: (*Card).internalAuthenticate,
		cmdGetChallenge: (*Card).getChallenge, cmdScript: (*Card).script,
	}
}

// commandName tells commands apart by class and instruction (EMV Book 3, 6.5).
func (c *Card) commandName(command transport.Command) string {
	switch [2]byte{command.CLA, command.INS} {
	case [2]byte{0x00, 0xA4}:
		return cmdSelect
	case [2]byte{0x80, 0xA8}:
		return cmdGPO
	case [2]byte{0x00, 0xB2}:
		return cmdReadRecord
	case [2]byte{0x80, 0xCA}:
		return cmdGetData
	case [2]byte{0x00, 0x20}:
		return cmdVerify
	case [2]byte{0x80, 0xAE}:
		if c.tx.firstDone {
			return cmdGenerateAC2
		}
		return cmdGenerateAC1
	case [2]byte{0x00, 0x82}:
		return cmdExternalAuth
	case [2]byte{0x00, 0x88}:
		return cmdInternalAuth
	case [2]byte{0x00, 0x84}:
		return cmdGetChallenge
	}
	if isScript(command) {
		return cmdScript
	}
	return cmdUnknown
}

// TakesData tells for class and instruction whether the command brings data:
// T=0 does not say it (see transport.NewCardT0).
func TakesData(_, ins byte) bool {
	switch ins {
	case 0xB2, 0xCA, 0x84, 0xC0:
		return false
	default:
		return true
	}
}
