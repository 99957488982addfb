package emv

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"tallystick.example/internal/pure/ber"
)

// Errors of this package, told apart with errors.Is. Their texts hold tags,
// lengths and reasons, never a value.
var (
	ErrFormat = errors.New("emv: value does not have the format of its tag")
	ErrDOL    = errors.New("emv: malformed data object list")
)

// A Tag names a data object by its bytes as one big-endian number: 0x9F02.
type Tag uint32

// Tags by the names of EMV Book 3 Annex A that programs use most. [Lookup]
// knows all the others.
const (
	TagAID                  Tag = 0x4F   // of a directory entry; of the chosen application in DE 55
	TagLabel                Tag = 0x50   // Application Label
	TagTrack2               Tag = 0x57   // Track 2 Equivalent Data
	TagPAN                  Tag = 0x5A   // Application PAN
	TagDirectoryEntry       Tag = 0x61   // Application Template
	TagFCI                  Tag = 0x6F   // File Control Information Template
	TagRecord               Tag = 0x70   // READ RECORD Response Message Template
	TagScript1              Tag = 0x71   // Issuer Script Template 1: before the second GENERATE AC
	TagScript2              Tag = 0x72   // Issuer Script Template 2: after it
	TagResponse2            Tag = 0x77   // Response Message Template Format 2
	TagResponse1            Tag = 0x80   // Response Message Template Format 1
	TagAmountBinary         Tag = 0x81   // Amount, Authorised (Binary)
	TagAIP                  Tag = 0x82   // Application Interchange Profile
	TagCommandTemplate      Tag = 0x83   // Command Template
	TagDFName               Tag = 0x84   // Dedicated File Name
	TagScriptCommand        Tag = 0x86   // Issuer Script Command
	TagPriority             Tag = 0x87   // Application Priority Indicator
	TagSFI                  Tag = 0x88   // Short File Identifier
	TagAuthCode             Tag = 0x89   // Authorisation Code
	TagARC                  Tag = 0x8A   // Authorisation Response Code
	TagCDOL1                Tag = 0x8C   // Card Risk Management Data Object List 1
	TagCDOL2                Tag = 0x8D   // Card Risk Management Data Object List 2
	TagCVMList              Tag = 0x8E   // Cardholder Verification Method List
	TagIssuerAuth           Tag = 0x91   // Issuer Authentication Data
	TagAFL                  Tag = 0x94   // Application File Locator
	TagTVR                  Tag = 0x95   // Terminal Verification Results
	TagTDOL                 Tag = 0x97   // Transaction Certificate Data Object List
	TagTCHash               Tag = 0x98   // Transaction Certificate Hash Value
	TagPINData              Tag = 0x99   // Transaction PIN Data
	TagDate                 Tag = 0x9A   // Transaction Date, YYMMDD
	TagTSI                  Tag = 0x9B   // Transaction Status Information
	TagType                 Tag = 0x9C   // Transaction Type
	TagDDFName              Tag = 0x9D   // Directory Definition File Name
	TagFCIProprietary       Tag = 0xA5   // FCI Proprietary Template
	TagFCIIssuer            Tag = 0xBF0C // FCI Issuer Discretionary Data
	TagTrack1               Tag = 0x56   // Track 1 Data (contactless)
	TagCAIndex              Tag = 0x8F   // Certification Authority Public Key Index of the card
	TagIssuerCertificate    Tag = 0x90   // Issuer Public Key Certificate
	TagIssuerRemainder      Tag = 0x92   // Issuer Public Key Remainder
	TagSignedStatic         Tag = 0x93   // Signed Static Application Data
	TagCardholderName       Tag = 0x5F20
	TagExpiry               Tag = 0x5F24 // Application Expiration Date, YYMMDD
	TagEffective            Tag = 0x5F25 // Application Effective Date, YYMMDD
	TagIssuerCountry        Tag = 0x5F28
	TagCurrency             Tag = 0x5F2A // Transaction Currency Code
	TagLanguage             Tag = 0x5F2D // Language Preference
	TagServiceCode          Tag = 0x5F30
	TagPANSequence          Tag = 0x5F34
	TagCurrencyExponent     Tag = 0x5F36
	TagAcquirer             Tag = 0x9F01
	TagAmount               Tag = 0x9F02 // Amount, Authorised (Numeric)
	TagAmountOther          Tag = 0x9F03 // Amount, Other (Numeric): cashback
	TagAmountOtherBinary    Tag = 0x9F04
	TagAIDTerminal          Tag = 0x9F06
	TagUsageControl         Tag = 0x9F07 // Application Usage Control
	TagVersionCard          Tag = 0x9F08
	TagVersionTerminal      Tag = 0x9F09
	TagIACDefault           Tag = 0x9F0D
	TagIACDenial            Tag = 0x9F0E
	TagIACOnline            Tag = 0x9F0F
	TagIAD                  Tag = 0x9F10 // Issuer Application Data
	TagCodeTable            Tag = 0x9F11 // Issuer Code Table Index
	TagPreferredName        Tag = 0x9F12
	TagLastOnlineATC        Tag = 0x9F13
	TagLowerOfflineLimit    Tag = 0x9F14
	TagMCC                  Tag = 0x9F15
	TagMerchantID           Tag = 0x9F16
	TagPINTries             Tag = 0x9F17 // PIN Try Counter
	TagScriptID             Tag = 0x9F18
	TagTerminalCountry      Tag = 0x9F1A
	TagFloorLimit           Tag = 0x9F1B
	TagTerminalID           Tag = 0x9F1C
	TagIFDSerial            Tag = 0x9F1E
	TagTrack1Discretionary  Tag = 0x9F1F
	TagTrack2Discretionary  Tag = 0x9F20
	TagTime                 Tag = 0x9F21
	TagUpperOfflineLimit    Tag = 0x9F23
	TagCAIndexTerminal      Tag = 0x9F22 // Certification Authority Public Key Index of the terminal
	TagCryptogram           Tag = 0x9F26 // Application Cryptogram
	TagCID                  Tag = 0x9F27 // Cryptogram Information Data
	TagPINCertificate       Tag = 0x9F2D // ICC PIN Encipherment Public Key Certificate
	TagPINExponent          Tag = 0x9F2E
	TagPINRemainder         Tag = 0x9F2F
	TagIssuerExponent       Tag = 0x9F32
	TagCapabilities         Tag = 0x9F33 // Terminal Capabilities
	TagCVMResults           Tag = 0x9F34
	TagTerminalType         Tag = 0x9F35
	TagATC                  Tag = 0x9F36
	TagUnpredictable        Tag = 0x9F37 // Unpredictable Number
	TagPDOL                 Tag = 0x9F38
	TagEntryMode            Tag = 0x9F39 // POS Entry Mode
	TagMoreCapabilities     Tag = 0x9F40 // Additional Terminal Capabilities
	TagSequence             Tag = 0x9F41 // Transaction Sequence Counter
	TagAppCurrency          Tag = 0x9F42
	TagDataAuthCode         Tag = 0x9F45 // Data Authentication Code
	TagICCCertificate       Tag = 0x9F46 // ICC Public Key Certificate
	TagICCExponent          Tag = 0x9F47
	TagICCRemainder         Tag = 0x9F48
	TagDDOL                 Tag = 0x9F49 // Dynamic Data Authentication Data Object List
	TagICCDynamic           Tag = 0x9F4C
	TagMerchantName         Tag = 0x9F4E
	TagSDATags              Tag = 0x9F4A // Static Data Authentication Tag List
	TagSignedDynamic        Tag = 0x9F4B
	TagScriptResults        Tag = 0x9F5B // Issuer Script Results
	TagTrack2Contactless    Tag = 0x9F6B // Track 2 Data (Mastercard contactless)
	TagTransactionCategory  Tag = 0x9F53
	TagTTQ                  Tag = 0x9F66
	TagCTQ                  Tag = 0x9F6C
	TagCurrencyReference    Tag = 0x9F3C
	TagAppSelectionRegister Tag = 0x9F0A
)

// ParseTag reads a tag in hexadecimal, such as "9F02", in either case.
func ParseTag(s string) (Tag, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) == 0 || len(b) > 4 {
		return 0, fmt.Errorf("emv: %q is no tag", s)
	}
	var t Tag
	for _, x := range b {
		t = t<<8 | Tag(x)
	}
	if b[0] == 0 || !ber.Valid(uint32(t)) {
		return 0, fmt.Errorf("emv: %q is no tag", s)
	}
	return t, nil
}

// String is the tag in upper-case hexadecimal.
func (t Tag) String() string {
	if !ber.Valid(uint32(t)) {
		return fmt.Sprintf("%02X", uint32(t))
	}
	return strings.ToUpper(hex.EncodeToString(t.Bytes()))
}

// Bytes are the one to four bytes of the tag. It panics for a number that is no
// tag.
func (t Tag) Bytes() []byte { return ber.TagBytes(uint32(t)) }

// Constructed reports whether t is a template.
func (t Tag) Constructed() bool { return ber.Constructed(uint32(t)) }
