// Package gateway is the host's face to terminals: TLS 1.3 with client
// certificates, frames, and the order in which a message is believed: identity,
// then MAC, then row, then counter. [Exchange] is that order as a pure machine of
// one message.
//
// One goroutine reads a connection and one writes it; messages of a connection
// are handled side by side within a limit of their own, and all connections
// share a bounded number of workers, so that no terminal slows another down.
// Well-framed bad content is answered or dropped with a counted reason and the
// connection lives; a bad frame, half a frame at its deadline or a stream of bad
// messages ends it.
package gateway
