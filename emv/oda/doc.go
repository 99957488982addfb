// Package oda is the cryptography of offline data authentication (EMV 4.4 Book 2,
// sections 5 to 7): from the key of a scheme's certification authority to the
// issuer's key, to the card's key, to what the card has signed.
//
//	keys, err := oda.NewKeys(caKeys, revoked)      // once, from the terminal's configuration
//	issuer, err := keys.Issuer(oda.IssuerInput{…}) // tags 8F, 90, 92, 9F32
//	_, err = issuer.VerifyStatic(ssad, static)     // SDA ends here: tag 93
//	icc, err := issuer.ICC(oda.ICCInput{…})        // tags 9F46, 9F47, 9F48
//	_, err = icc.VerifyDynamic(sdad, ddolData)     // DDA: the answer to INTERNAL AUTHENTICATE
//	_, err = icc.VerifyCombined(oda.Combined{…})   // CDA: the answer to GENERATE AC
//
// Package kernel calls it in that order and turns its errors into the bits of the
// TVR; a tool that checks one card may do the same. Each check of the standard is
// there, dates and revocation included, and every failure is an [*Error] that
// names the step, the clause and the check, and holds no data of the card.
//
// The package has no clock, no files and no randomness of its own. [Keys] may be
// used by several goroutines at once; all other types do not change once made.
// Package issue makes what this package verifies, for simulators and tests.
package oda
