// Package codec reads and writes ISO 8583 messages of any dialect at the speed
// of code written by hand: without reflection, without allocation, every field
// checked.
//
// The files that matter, in the order in which a message meets them:
//
//	layout.go    what a dialect is: plain data
//	program.go   a layout checked and flattened into one array of slots
//	unpack.go    a program run over the bytes of a message
//
// [Compile] makes a [Program] from a MessageSpec of github.com/moov-io/iso8583
// (built in Go or loaded from its JSON), [New] from a [Layout] written by hand.
// A [Message] is then unpacked, viewed, changed and packed:
//
//	p, err := codec.Compile(spec)
//	m := codec.NewMessage(p)
//	err = m.Unpack(raw)                    // checks every field
//	amount, ok := m.Value(4).Number()      // views into the message's own copy
//	for v := range m.Value(48).Subfields() { … }
//	m.SetText(39, "00")
//	out, err := m.AppendTo(buf[:0])
//
// The package is pure: no network, files, clock, environment or logging. Sizes
// are bounded; errors name path, offset and reason, never a value. A Program may
// be shared by goroutines; a Message belongs to one at a time.
package codec
