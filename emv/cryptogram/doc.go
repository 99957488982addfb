// Package cryptogram holds the symmetric cryptography between an EMV card and
// its issuer (EMV Book 2, sections 8 and 9, Annex A1): card keys, session keys,
// application cryptograms, the issuer's answer to them, and secure messaging of
// issuer scripts.
//
// A host that received DE 55 needs two calls:
//
//	fields, err := cryptogram.FieldsFromDE55(de55)
//	err = cryptogram.Verify(imk, card, cryptogram.VisaCVN18, fields)
//
// A card, or the simulator of one, computes with [CardKey] and
// [Profile.Generate]. Keys, PANs and PINs are [secret.Secret]; every key that a
// function returns belongs to the caller, who wipes it after use. Intermediate
// keys are wiped before a function returns. The key schedules inside
// crypto/des cannot be wiped; they die with the garbage collector.
//
// All functions are pure and may be called from several goroutines at once.
package cryptogram
