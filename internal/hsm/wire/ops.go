package wire

import (
	"errors"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/pure/secret"
)

// An Op is one operation: its number and the kinds of its request and result.
type Op[Req, Res any] struct {
	Code byte
	Req  Kind[Req]
	Res  Kind[Res]
}

// Empty is a request or result without fields.
type Empty struct{}

// CheckpointRequest holds the parameters of SignCheckpoint.
type CheckpointRequest struct {
	Node        string
	Boot, Count uint64
	Head        [32]byte
}

// ResealRequest holds the parameters of Reseal.
type ResealRequest struct {
	Token  string
	Sealed []byte
}

// ImportBlockRequest holds the parameters of ImportBlock.
type ImportBlockRequest struct {
	Transport api.KeyBlock
	Block     string
}

// Hello opens a connection: a fixed text and the versions that the client
// speaks.
type Hello struct {
	Magic    [8]byte
	Min, Max uint32
}

// Magic is the text of a Hello.
var Magic = [8]byte{'t', 'a', 'l', 'l', 'y', 'h', 's', 'm'}

// Welcome is the answer to Hello.
type Welcome struct {
	Version uint32
	// Administration tells that the connection may administer; otherwise it may
	// do payments. No connection may do both.
	Administration bool
}

// Unlocked is the answer to Unlock.
type Unlocked struct {
	// Check is the check value of the component, six bytes in hex, for its
	// custodian to compare.
	Check string
	// Missing is how many components are still to come; zero means open.
	Missing int
}

// UnlockRequest brings one component of the LMK.
type UnlockRequest struct{ Component secret.Secret }

// The operations. Numbers below 32 are for payments, from 32 on for
// administration; a connection serves one of the two.
var (
	Greet          = Op[Hello, Welcome]{0, Kind[Hello]{hello}, Kind[Welcome]{welcome}}
	Open           = Op[api.OpenRequest, api.Opened]{1, Kind[api.OpenRequest]{openRequest}, Kind[api.Opened]{opened}}
	Verify         = Op[api.VerifyRequest, api.Verdict]{2, Kind[api.VerifyRequest]{verifyRequest}, Kind[api.Verdict]{verdict}}
	Seal           = Op[api.SealRequest, api.Sealed]{3, Kind[api.SealRequest]{sealRequest}, Kind[api.Sealed]{sealed}}
	Release        = Op[api.Handle, Empty]{4, Kind[api.Handle]{handle}, nothing}
	SignCheckpoint = Op[CheckpointRequest, api.Checkpoint]{5, Kind[CheckpointRequest]{checkpointRequest}, Kind[api.Checkpoint]{checkpoint}}
	Reseal         = Op[ResealRequest, []byte]{6, Kind[ResealRequest]{resealRequest}, Kind[[]byte]{sealedPAN}}

	Info          = Op[Empty, api.Info]{32, nothing, Kind[api.Info]{info}}
	GenerateKey   = Op[api.KeySpec, api.Key]{33, Kind[api.KeySpec]{keySpec}, Kind[api.Key]{key}}
	ImportClear   = Op[api.ImportClear, api.Key]{34, Kind[api.ImportClear]{importClear}, Kind[api.Key]{key}}
	NewTransport  = Op[Empty, api.Transport]{35, nothing, Kind[api.Transport]{transport}}
	InitialKey    = Op[api.InitialKeyRequest, api.Exported]{36, Kind[api.InitialKeyRequest]{initialKeyRequest}, Kind[api.Exported]{exported}}
	ImportBlock   = Op[ImportBlockRequest, api.Key]{37, Kind[ImportBlockRequest]{importBlock}, Kind[api.Key]{key}}
	RotateSealing = Op[Empty, uint32]{38, nothing, Kind[uint32]{(*codec).uint32}}
	ClearPINBrake = Op[[32]byte, Empty]{39, Kind[[32]byte]{digest}, nothing}
	Personalize   = Op[api.Personalize, api.Personalized]{40, Kind[api.Personalize]{personalize}, Kind[api.Personalized]{personalized}}
	Unlock        = Op[UnlockRequest, Unlocked]{41, Kind[UnlockRequest]{unlock}, Kind[Unlocked]{unlocked}}
)

var nothing = Kind[Empty]{func(*codec, *Empty) {}}

// Status is how an operation ended.
type Status byte

// The statuses; every other byte is a malformed frame.
const (
	OK Status = iota
	Unavailable
	BadHandle
	BadKey
	BadInput
	Refused
)

// statuses pairs the errors of the contract with their statuses.
var statuses = []struct {
	status Status
	err    error
}{
	{Unavailable, api.ErrUnavailable},
	{BadHandle, api.ErrHandle},
	{BadKey, api.ErrKey},
	{BadInput, api.ErrInput},
	{Refused, api.ErrPolicy},
}

// StatusOf is the status that tells the other side about err. An error that is
// none of the contract's is the boundary's own fault: Unavailable.
func StatusOf(err error) Status {
	if err == nil {
		return OK
	}
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			return s.status
		}
	}
	return Unavailable
}

// Err is the error of the contract that s stands for, nil for OK and ErrFrame
// for a status that does not exist.
func (s Status) Err() error {
	if s == OK {
		return nil
	}
	for _, t := range statuses {
		if t.status == s {
			return t.err
		}
	}
	return ErrFrame
}
