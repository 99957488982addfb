// Package terminal is a payment terminal for tests: identity, register state and
// message numbers in memory, mutual TLS to a host, many messages in flight. It is
// written from docs/terminal-interface.md alone and shares no code with the
// agent, so that a mistake of the agent's is not hidden by the same mistake here.
//
// A test makes a [Terminal] with [New] or [Load], dials a [Link], and calls
// [Link.Pay] or [Link.Reverse]. What is to be wrong on purpose is made in pieces:
// [Terminal.Plan] a sale, [Terminal.Request] its message under chosen keys,
// [Seal] the bytes, any of them changed at will, and [Link.Exchange] or
// [Link.Raw] to send them.
//
// It holds card data and PINs in clear: test cards only.
package terminal
