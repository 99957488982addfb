package wire

import "tallystick.example/internal/hsm/api"

// Limits of fields in bytes.
const (
	maxMessage   = 4096 // an ISO 8583 message
	maxBlock     = 1024 // a TR-31 block
	maxKeySets   = 8    // registered sets of one terminal
	maxSetID     = 12
	maxToken     = 32
	maxSealed    = 256 // a sealed PAN or reference record
	maxIssuer    = 16  // value of tag 91 (EMV Book 3, Annex A)
	maxNode      = 16
	maxKey       = 32
	maxPAN       = 19
	maxPIN       = 12
	maxProfile   = 32
	maxSignature = 64
	maxText      = 64
)

func hello(c *codec, h *Hello) {
	c.fixed(h.Magic[:])
	c.uint32(&h.Min)
	c.uint32(&h.Max)
}

func welcome(c *codec, w *Welcome) {
	c.uint32(&w.Version)
	c.flag(&w.Administration)
}

func keySet(c *codec, k *api.KeySet) {
	choice(c, &k.Scheme, api.SchemeTDES, api.SchemeAES)
	c.bytes(&k.ID, maxSetID)
	text(c, &k.BDK, maxBlock)
	c.flag(&k.PIN)
	c.flag(&k.MAC)
	c.flag(&k.Data)
}

func openRequest(c *codec, r *api.OpenRequest) {
	c.bytes(&r.Message, maxMessage)
	list(c, &r.KeySets, maxKeySets, keySet)
}

func handle(c *codec, h *api.Handle) { c.uint64((*uint64)(h)) }

func digest(c *codec, d *[32]byte) { c.fixed(d[:]) }

func opened(c *codec, o *api.Opened) {
	choice(c, &o.MAC, api.MACValid, api.MACInvalid, api.MACUnknownKSN, api.MACMissing)
	handle(c, &o.Handle)
	c.bytes(&o.SetID, maxSetID)
	c.uint32(&o.Counter)
	c.bytes(&o.DataSetID, maxSetID)
	c.uint32(&o.DataCounter)
	c.bytes(&o.PINSetID, maxSetID)
	c.uint32(&o.PINCounter)
	digest(c, &o.Digest)
	c.flag(&o.HasCard)
	c.flag(&o.HasPIN)
	c.flag(&o.HasCryptogram)
	card(c, &o.Card)
}

func card(c *codec, k *api.Card) {
	digest(c, &k.Lookup)
	text(c, &k.NewToken, maxToken)
	c.bytes(&k.NewSealed, maxSealed)
	text(c, &k.BIN, 8)
	text(c, &k.LastFour, 4)
	text(c, &k.Expiry, 4)
	text(c, &k.PSN, 2)
	text(c, &k.ServiceCode, 3)
}

func verifyRequest(c *codec, r *api.VerifyRequest) {
	handle(c, &r.Handle)
	c.bytes(&r.Reference, maxSealed)
	text(c, &r.IMK, maxBlock)
	text(c, &r.PVK, maxBlock)
	text(c, &r.CVK, maxBlock)
	c.flag(&r.PIN)
	c.flag(&r.Cryptogram)
	c.flag(&r.CardCode)
}

func verdict(c *codec, v *api.Verdict) {
	choice(c, &v.PIN, api.PINNone, api.PINRight, api.PINWrong, api.PINBlocked)
	choice(c, &v.Cryptogram, api.CryptogramNone, api.CryptogramRight, api.CryptogramWrong)
	choice(c, &v.CardCode, api.CardCodeNone, api.CardCodeRight, api.CardCodeWrong)
	c.flag(&v.ReferenceOK)
}

func sealRequest(c *codec, r *api.SealRequest) {
	handle(c, &r.Handle)
	c.bytes(&r.Answer, maxMessage)
	text(c, &r.ARC, 2)
}

func sealed(c *codec, s *api.Sealed) {
	c.bytes(&s.Answer, maxMessage)
	c.bytes(&s.IssuerAuthData, maxIssuer)
}

func checkpointRequest(c *codec, r *CheckpointRequest) {
	text(c, &r.Node, maxNode)
	c.uint64(&r.Boot)
	c.uint64(&r.Count)
	digest(c, &r.Head)
}

func checkpoint(c *codec, p *api.Checkpoint) {
	text(c, &p.Node, maxNode)
	c.uint64(&p.Boot)
	c.uint64(&p.Count)
	digest(c, &p.Head)
	c.bytes(&p.Signature, maxSignature)
}

func resealRequest(c *codec, r *ResealRequest) {
	text(c, &r.Token, maxToken)
	c.bytes(&r.Sealed, maxSealed)
}

func sealedPAN(c *codec, b *[]byte) { c.bytes(b, maxSealed) }

func info(c *codec, i *api.Info) {
	text(c, &i.Version, maxText)
	c.flag(&i.Lab)
	text(c, &i.LMKCheck, maxText)
	c.bytes(&i.CheckpointKey, maxText)
	text(c, &i.Driver, maxText)
}

func keySpec(c *codec, s *api.KeySpec) {
	text(c, &s.Usage, 2)
	text(c, &s.Algorithm, 1)
	text(c, &s.Mode, 1)
	c.small(&s.Bytes, maxKey)
}

func key(c *codec, k *api.Key) {
	text(c, &k.Block, maxBlock)
	text(c, &k.KCV, maxText)
	keySpec(c, &k.Spec)
	c.flag(&k.Test)
}

func importClear(c *codec, r *api.ImportClear) {
	keySpec(c, &r.Spec)
	c.secret(&r.Key, maxKey)
}

func transport(c *codec, t *api.Transport) {
	key(c, &t.Key)
	c.secret(&t.Components[0], maxKey)
	c.secret(&t.Components[1], maxKey)
}

func initialKeyRequest(c *codec, r *api.InitialKeyRequest) {
	keySet(c, &r.Set)
	text(c, &r.Transport, maxBlock)
}

func exported(c *codec, e *api.Exported) {
	text(c, &e.Block, maxBlock)
	text(c, &e.KCV, maxText)
}

func importBlock(c *codec, r *ImportBlockRequest) {
	text(c, &r.Transport, maxBlock)
	text(c, &r.Block, maxBlock)
}

func personalize(c *codec, p *api.Personalize) {
	c.secret(&p.PAN, maxPAN)
	c.secret(&p.PIN, maxPIN)
	text(c, &p.PSN, 2)
	text(c, &p.Expiry, 4)
	text(c, &p.Profile, maxProfile)
	text(c, &p.PVK, maxBlock)
	c.small(&p.CodeAt, 10)
}

func personalized(c *codec, p *api.Personalized) {
	card(c, &p.Card)
	c.bytes(&p.Reference, maxSealed)
}

func unlock(c *codec, r *UnlockRequest) { c.secret(&r.Component, maxKey) }

func unlocked(c *codec, u *Unlocked) {
	text(c, &u.Check, maxText)
	c.small(&u.Missing, 3)
}
