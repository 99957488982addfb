// Package canary looks for secrets where none may be. A test gives a system card
// numbers, PINs and keys that exist nowhere else, lets it work and fail, and then
// scans every file it has left, and the memory of its processes, for them in
// every form in which programs write data down: as text, packed digits,
// hexadecimal, lists of integers as Go prints byte slices, base64, UTF-16, inside
// compressed streams, and cut in two by the pages of SQLite.
//
// [Scanner.Paths] scans files and folders, [Scanner.Process] a process. A finding
// names the secret and says where it is and in which form, and never shows it.
//
// What the scan cannot see it says: [Report.Opaque] names archives in formats that
// it cannot open, [Report.Incomplete] what could not be read. Values that are
// enciphered, or transformed in ways that [Encodings] does not list, are out of its
// reach.
package canary
