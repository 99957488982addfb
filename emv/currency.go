package emv

import "strings"

// A Currency is an entry of ISO 4217.
type Currency struct {
	Numeric    string // three digits, "978"
	Alphabetic string // "EUR"
	MinorUnits int    // digits after the decimal point: 2 for EUR, 0 for JPY, 3 for KWD
}

// LookupCurrency finds a currency by its numeric or alphabetic code of ISO 4217.
// A numeric code may carry the leading zero of an EMV field ("0978"). Letters
// count in either case. ok is false for an unknown code.
func LookupCurrency(code string) (currency Currency, ok bool) {
	if len(code) == 4 && code[0] == '0' {
		code = code[1:]
	}
	code = strings.ToUpper(code)
	for entry := range strings.FieldsSeq(currencies) {
		c := Currency{Alphabetic: entry[:3], Numeric: entry[3:6], MinorUnits: 2}
		if code != c.Numeric && code != c.Alphabetic {
			continue
		}
		if len(entry) > 6 {
			c.MinorUnits = int(entry[7] - '0')
		}
		return c, true
	}
	return Currency{}, false
}

// currencies is ISO 4217: alphabetic and numeric code of each and, after a
// slash, its minor units where they are not 2. Funds and metals, which have
// none, count as 0.
const currencies = `
AED784 AFN971 ALL008 AMD051 AOA973 ARS032 AUD036 AWG533 AZN944 BAM977 BBD052 BDT050 BGN975
BHD048/3 BIF108/0 BMD060 BND096 BOB068 BOV984 BRL986 BSD044 BTN064 BWP072 BYN933 BZD084 CAD124
CDF976 CHE947 CHF756 CHW948 CLF990/4 CLP152/0 CNY156 COP170 COU970 CRC188 CUP192 CVE132
CZK203 DJF262/0 DKK208 DOP214 DZD012 EGP818 ERN232 ETB230 EUR978 FJD242 FKP238 GBP826 GEL981 GHS936
GIP292 GMD270 GNF324/0 GTQ320 GYD328 HKD344 HNL340 HTG332 HUF348 IDR360 ILS376 INR356 IQD368/3
IRR364 ISK352/0 JMD388 JOD400/3 JPY392/0 KES404 KGS417 KHR116 KMF174/0 KPW408 KRW410/0 KWD414/3
KYD136 KZT398 LAK418 LBP422 LKR144 LRD430 LSL426 LYD434/3 MAD504 MDL498 MGA969 MKD807 MMK104 MNT496
MOP446 MRU929 MUR480 MVR462 MWK454 MXN484 MXV979 MYR458 MZN943 NAD516 NGN566 NIO558 NOK578 NPR524
NZD554 OMR512/3 PAB590 PEN604 PGK598 PHP608 PKR586 PLN985 PYG600/0 QAR634 RON946 RSD941 RUB643
RWF646/0 SAR682 SBD090 SCR690 SDG938 SEK752 SGD702 SHP654 SLE925 SOS706 SRD968 SSP728 STN930 SVC222
SYP760 SZL748 THB764 TJS972 TMT934 TND788/3 TOP776 TRY949 TTD780 TWD901 TZS834 UAH980 UGX800/0
USD840 USN997 UYI940/0 UYU858 UYW927/4 UZS860 VED926 VES928 VND704/0 VUV548/0 WST882 XAD396 XAF950/0
XAG961/0 XAU959/0 XBA955/0 XBB956/0 XBC957/0 XBD958/0 XCD951 XCG532 XDR960/0 XOF952/0 XPD964/0
XPF953/0 XPT962/0 XSU994/0 XTS963/0 XUA965/0 YER886 ZAR710 ZMW967 ZWG924`
