// Package core is the terminal as one pure machine: Step takes what happened and
// returns what to do, in order. It joins the machines of package payment (one
// payment, the queue of reversals) and of package hostlink (the connection),
// numbers and seals messages, and checks answers. It does no I/O, reads no clock
// and has no goroutine; randomness is an io.Reader.
//
// The caller is a thin loop. It carries out the actions of a step one after the
// other, and gives what an action brings back as an event when the list is done.
// An action that writes is done when the write is durable; when nobody knows
// whether it is, the process ends, carries out nothing more, and a new Core
// starts from what is durable. So what a list says first is durable before what
// it says later happens: that is rule 1 of the tally, and it can be read off the
// lists.
//
// What is durable is the journal's and the registers'. The Core sees it through
// Books, which reads memory, and changes it by actions only.
package core
