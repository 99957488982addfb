package emv

// Bits of the Terminal Verification Results, tag 95 (Book 3 Annex C5).
const (
	TVRODANotPerformed   Bit = 0x18 // offline data authentication was not performed
	TVRSDAFailed         Bit = 0x17
	TVRICCDataMissing    Bit = 0x16
	TVRExceptionFile     Bit = 0x15 // card appears on the terminal exception file
	TVRDDAFailed         Bit = 0x14
	TVRCDAFailed         Bit = 0x13
	TVRSDASelected       Bit = 0x12
	TVRXDASelected       Bit = 0x11
	TVRVersionsDiffer    Bit = 0x28
	TVRExpired           Bit = 0x27
	TVRNotYetEffective   Bit = 0x26
	TVRServiceNotAllowed Bit = 0x25
	TVRNewCard           Bit = 0x24
	TVRCVMFailed         Bit = 0x38 // cardholder verification was not successful
	TVRCVMUnrecognised   Bit = 0x37
	TVRPINTryLimit       Bit = 0x36
	TVRPINPadFault       Bit = 0x35 // PIN entry required and PIN pad not present or not working
	TVRPINNotEntered     Bit = 0x34 // PIN entry required, PIN pad present, but PIN was not entered
	TVROnlinePIN         Bit = 0x33 // online PIN entered
	TVRFloorLimit        Bit = 0x48
	TVRLowerLimit        Bit = 0x47 // lower consecutive offline limit exceeded
	TVRUpperLimit        Bit = 0x46
	TVRRandomlySelected  Bit = 0x45
	TVRForcedOnline      Bit = 0x44 // merchant forced transaction online
	TVRDefaultTDOL       Bit = 0x58
	TVRIssuerAuthFailed  Bit = 0x57
	TVRScriptBefore      Bit = 0x56 // script processing failed before the final GENERATE AC
	TVRScriptAfter       Bit = 0x55
)

// tvrBits names the bits of tags 95, 9F0D, 9F0E and 9F0F.
var tvrBits = map[Bit]string{
	TVRODANotPerformed:   "Offline data authentication was not performed",
	TVRSDAFailed:         "SDA failed",
	TVRICCDataMissing:    "ICC data missing",
	TVRExceptionFile:     "Card appears on terminal exception file",
	TVRDDAFailed:         "DDA failed",
	TVRCDAFailed:         "CDA failed",
	TVRSDASelected:       "SDA selected",
	TVRXDASelected:       "XDA selected",
	TVRVersionsDiffer:    "ICC and terminal have different application versions",
	TVRExpired:           "Expired application",
	TVRNotYetEffective:   "Application not yet effective",
	TVRServiceNotAllowed: "Requested service not allowed for card product",
	TVRNewCard:           "New card",
	TVRCVMFailed:         "Cardholder verification was not successful",
	TVRCVMUnrecognised:   "Unrecognised CVM",
	TVRPINTryLimit:       "PIN Try Limit exceeded",
	TVRPINPadFault:       "PIN entry required and PIN pad not present or not working",
	TVRPINNotEntered:     "PIN entry required, PIN pad present, but PIN was not entered",
	TVROnlinePIN:         "Online CVM captured",
	TVRFloorLimit:        "Transaction exceeds floor limit",
	TVRLowerLimit:        "Lower consecutive offline limit exceeded",
	TVRUpperLimit:        "Upper consecutive offline limit exceeded",
	TVRRandomlySelected:  "Transaction selected randomly for online processing",
	TVRForcedOnline:      "Merchant forced transaction online",
	TVRDefaultTDOL:       "Default TDOL used",
	TVRIssuerAuthFailed:  "Issuer authentication failed",
	TVRScriptBefore:      "Script processing failed before final GENERATE AC",
	TVRScriptAfter:       "Script processing failed after final GENERATE AC",
}

// Bits of the Transaction Status Information, tag 9B (Book 3 Annex C6): each
// says that a function was performed, not that it succeeded.
const (
	TSIODA          Bit = 0x18 // offline data authentication
	TSICVM          Bit = 0x17 // cardholder verification
	TSICardRisk     Bit = 0x16 // card risk management
	TSIIssuerAuth   Bit = 0x15 // issuer authentication
	TSITerminalRisk Bit = 0x14 // terminal risk management
	TSIScript       Bit = 0x13 // script processing
)

var tsiBits = map[Bit]string{
	TSIODA:          "Offline data authentication was performed",
	TSICVM:          "Cardholder verification was performed",
	TSICardRisk:     "Card risk management was performed",
	TSIIssuerAuth:   "Issuer authentication was performed",
	TSITerminalRisk: "Terminal risk management was performed",
	TSIScript:       "Script processing was performed",
}

// Bits of the Application Interchange Profile, tag 82 (Book 3 Annex C1).
const (
	AIPXDA          Bit = 0x18
	AIPSDA          Bit = 0x17
	AIPDDA          Bit = 0x16
	AIPCVM          Bit = 0x15 // cardholder verification is supported
	AIPTerminalRisk Bit = 0x14 // terminal risk management is to be performed
	AIPIssuerAuth   Bit = 0x13 // issuer authentication by EXTERNAL AUTHENTICATE
	AIPDeviceCVM    Bit = 0x12 // on-device cardholder verification (contactless)
	AIPCDA          Bit = 0x11
)

var aipBits = map[Bit]string{
	AIPXDA:          "XDA supported",
	AIPSDA:          "SDA supported",
	AIPDDA:          "DDA supported",
	AIPCVM:          "Cardholder verification is supported",
	AIPTerminalRisk: "Terminal risk management is to be performed",
	AIPIssuerAuth:   "Issuer authentication is supported",
	AIPDeviceCVM:    "On device cardholder verification is supported",
	AIPCDA:          "CDA supported",
	0x28:            "EMV mode is supported (contactless)",
	0x21:            "Relay resistance protocol is supported (contactless)",
}

// Bits of the Application Usage Control, tag 9F07 (Book 3 Annex C2).
const (
	AUCDomesticCash          Bit = 0x18
	AUCInternationalCash     Bit = 0x17
	AUCDomesticGoods         Bit = 0x16
	AUCInternationalGoods    Bit = 0x15
	AUCDomesticServices      Bit = 0x14
	AUCInternationalServices Bit = 0x13
	AUCATM                   Bit = 0x12 // valid at ATMs
	AUCOtherThanATM          Bit = 0x11 // valid at terminals other than ATMs
	AUCDomesticCashback      Bit = 0x28
	AUCInternationalCashback Bit = 0x27
)

var aucBits = map[Bit]string{
	AUCDomesticCash:          "Valid for domestic cash transactions",
	AUCInternationalCash:     "Valid for international cash transactions",
	AUCDomesticGoods:         "Valid for domestic goods",
	AUCInternationalGoods:    "Valid for international goods",
	AUCDomesticServices:      "Valid for domestic services",
	AUCInternationalServices: "Valid for international services",
	AUCATM:                   "Valid at ATMs",
	AUCOtherThanATM:          "Valid at terminals other than ATMs",
	AUCDomesticCashback:      "Domestic cashback allowed",
	AUCInternationalCashback: "International cashback allowed",
}
