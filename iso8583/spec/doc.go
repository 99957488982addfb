// Package spec reads message specifications: which elements a dialect of
// ISO 8583 has and how each is written.
//
// [Load] reads the JSON form of github.com/moov-io/iso8583 and refuses what that
// library's own import lets pass: misspelt and duplicate keys, lengths that no
// prefix can say, encodings that do not exist. [LoadJPOS] reads an acquirer's
// packager in the XML form of jPOS. [Dialect] gives the dialects that come with
// the package: ISO 8583:1987 in ASCII and in binary, 1993 and 2003.
//
// A [Spec] is plain data. Its Moov method builds the specification of that library from
// it, from which [tallystick.example/iso8583/codec] compiles a program.
//
// The package is pure: no network, files, clock or environment. What it reads is
// bounded in size and depth. That library does not compile where an int has 32
// bits; there, Moov and JSON are absent.
package spec
