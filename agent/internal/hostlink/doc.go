// Package hostlink is the terminal's connection to the host, in two halves.
//
// Machine is pure: it decides when to dial, sign on, send an echo, hang up and
// try again, keeps the messages in flight, finds for each answer its request,
// and says whether the answer can be trusted. It does no I/O and reads no clock.
//
// Conn is the I/O: mutual TLS 1.3, one goroutine that writes frames and one that
// reads them. It knows nothing of messages.
package hostlink
