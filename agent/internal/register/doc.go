// Package register keeps the terminal's DUKPT key registers in a file and hands
// out working keys so that no key serial number is ever used twice (rule 8): the
// next register state is durable first, then the journal's intent, and only then
// is the key released. A power loss between these steps costs a key, never
// repeats one.
package register
