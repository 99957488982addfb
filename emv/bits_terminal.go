package emv

// Bits of the Terminal Capabilities, tag 9F33 (Book 4 Annex A2).
const (
	CapManualEntry    Bit = 0x18
	CapMagneticStripe Bit = 0x17
	CapContactChip    Bit = 0x16
	CapPlaintextPIN   Bit = 0x28 // plaintext PIN for offline verification
	CapOnlinePIN      Bit = 0x27 // enciphered PIN for online verification
	CapSignature      Bit = 0x26
	CapEncipheredPIN  Bit = 0x25 // enciphered PIN for offline verification
	CapNoCVM          Bit = 0x24
	CapSDA            Bit = 0x38
	CapDDA            Bit = 0x37
	CapCardCapture    Bit = 0x36
	CapCDA            Bit = 0x34
)

var capabilityBits = map[Bit]string{
	CapManualEntry:    "Manual key entry",
	CapMagneticStripe: "Magnetic stripe",
	CapContactChip:    "IC with contacts",
	CapPlaintextPIN:   "Plaintext PIN for ICC verification",
	CapOnlinePIN:      "Enciphered PIN for online verification",
	CapSignature:      "Signature",
	CapEncipheredPIN:  "Enciphered PIN for offline verification (RSA)",
	CapNoCVM:          "No CVM required",
	0x23:              "Online biometric",
	0x22:              "Offline biometric",
	0x21:              "Enciphered PIN for offline verification (ECC)",
	CapSDA:            "SDA",
	CapDDA:            "DDA",
	CapCardCapture:    "Card capture",
	CapCDA:            "CDA",
	0x33:              "XDA",
}

// Bits of the Additional Terminal Capabilities, tag 9F40 (Book 4 Annex A3),
// that decide on processing.
const (
	TypeCash     Bit = 0x18
	TypeGoods    Bit = 0x17
	TypeServices Bit = 0x16
	TypeCashback Bit = 0x15
)

var moreCapabilityBits = map[Bit]string{
	TypeCash: "Cash", TypeGoods: "Goods", TypeServices: "Services", TypeCashback: "Cashback",
	0x14: "Inquiry", 0x13: "Transfer", 0x12: "Payment", 0x11: "Administrative",
	0x28: "Cash deposit",
	0x38: "Numeric keys", 0x37: "Alphabetic and special character keys", 0x36: "Command keys",
	0x35: "Function keys",
	0x48: "Print, attendant", 0x47: "Print, cardholder", 0x46: "Display, attendant",
	0x45: "Display, cardholder", 0x42: "Code table 10", 0x41: "Code table 9",
	0x58: "Code table 8", 0x57: "Code table 7", 0x56: "Code table 6", 0x55: "Code table 5",
	0x54: "Code table 4", 0x53: "Code table 3", 0x52: "Code table 2", 0x51: "Code table 1",
}

// ttqBits names the Terminal Transaction Qualifiers, tag 9F66 (Book A 5.7).
var ttqBits = map[Bit]string{
	0x18: "Mag-stripe mode supported", 0x16: "EMV mode supported", 0x15: "EMV contact chip supported",
	0x14: "Offline-only reader", 0x13: "Online PIN supported", 0x12: "Signature supported",
	0x11: "Offline data authentication for online authorisations supported",
	0x28: "Online cryptogram required", 0x27: "CVM required", 0x26: "Contact chip offline PIN supported",
	0x38: "Issuer update processing supported", 0x37: "Consumer device CVM supported",
}

// ctqBits names the Card Transaction Qualifiers, tag 9F6C (Book C-3 Annex A).
var ctqBits = map[Bit]string{
	0x18: "Online PIN required", 0x17: "Signature required",
	0x16: "Go online if offline data authentication fails and reader is online capable",
	0x15: "Switch interface if offline data authentication fails and reader supports contact chip",
	0x14: "Go online if application expired", 0x13: "Switch interface for cash transactions",
	0x12: "Switch interface for cashback transactions",
	0x28: "Consumer device CVM performed", 0x27: "Card supports issuer update processing at the POS",
}

// riskDataBits names the Terminal Risk Management Data, tag 9F1D (Book C-2 Annex A).
var riskDataBits = map[Bit]string{
	0x18: "Restart supported",
	0x17: "Enciphered PIN verified online (contactless)", 0x16: "Signature (contactless)",
	0x15: "Enciphered PIN verification by ICC (contactless)", 0x14: "No CVM required (contactless)",
	0x13: "CDCVM (contactless)", 0x12: "Plaintext PIN verification by ICC (contactless)",
	0x11: "Present and hold supported",
	0x28: "CVM limit exceeded", 0x27: "Enciphered PIN verified online (contact)",
	0x26: "Signature (contact)", 0x25: "Enciphered PIN verification by ICC (contact)",
	0x24: "No CVM required (contact)", 0x23: "CDCVM (contact)",
	0x22: "Plaintext PIN verification by ICC (contact)",
	0x38: "Mag-stripe mode contactless not supported", 0x37: "EMV mode contactless not supported",
	0x36: "CDCVM without CDA supported",
}
