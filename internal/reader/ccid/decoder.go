package ccid

// Kind says what a Decoder found.
type Kind int

// Kinds of events.
const (
	Frame       Kind = iota // a message with a right check byte
	Inserted                // 50 03
	Removed                 // 50 02
	TimeRequest             // the card asks for more time (T=0)
	Refused                 // 03 15 16: the other side wants the last frame again
	Broken                  // a frame with a wrong length or check byte: answer it with NAK
)

// An Event is one thing found on the line.
type Event struct {
	Kind    Kind
	Message Message // of a Frame
}

// A Decoder takes the bytes of one direction of a line, in any division, and
// finds the frames and notifications among them. Bytes that belong to nothing
// are counted and dropped. It holds at most one frame. The zero value is ready;
// one goroutine uses it.
type Decoder struct {
	buf     []byte
	within  int // bytes at the start of buf that belonged to a broken frame
	skipped int
}

// Skipped is the number of bytes that belonged to nothing.
func (d *Decoder) Skipped() int { return d.skipped }

// Partial tells whether the line stopped inside a frame or notification.
func (d *Decoder) Partial() bool { return len(d.buf) > 0 }

// Reset forgets an unfinished frame, when its time is over.
func (d *Decoder) Reset() {
	d.skipped += len(d.buf)
	d.buf, d.within = d.buf[:0], 0
}

// Write takes bytes and returns what they complete, in order.
func (d *Decoder) Write(in []byte) []Event {
	var events []Event
	for _, b := range in {
		d.buf = append(d.buf, b)
		for len(d.buf) > 0 {
			used, e, found := d.look()
			if found {
				events = append(events, e)
			}
			if used == 0 {
				break
			}
			d.buf = append(d.buf[:0], d.buf[used:]...)
			d.within = max(0, d.within-used)
		}
	}
	return events
}

// look examines the start of the buffer: used bytes can go, 0 means that more
// must come.
func (d *Decoder) look() (used int, e Event, found bool) {
	switch first := d.buf[0]; {
	case first == syncByte:
		return d.lookSync()
	case d.within > 0:
		// What lies in a broken frame is card data: only a new start counts.
	case first >= timeByte:
		return 1, Event{Kind: TimeRequest}, true
	case first == notifyByte && len(d.buf) == 1:
		return 0, e, false
	case first == notifyByte && d.buf[1] == slotIn:
		return 2, Event{Kind: Inserted}, true
	case first == notifyByte && d.buf[1] == slotAbsent:
		return 2, Event{Kind: Removed}, true
	}
	d.skipped++
	return 1, e, false
}

func (d *Decoder) lookSync() (used int, e Event, found bool) {
	if len(d.buf) == 1 {
		return 0, e, false
	}
	if d.buf[1] == nakByte {
		switch {
		case len(d.buf) == 2:
			return 0, e, false
		case d.buf[2] == nakEnd:
			return 3, Event{Kind: Refused}, true
		}
	}
	if d.buf[1] != ackByte {
		d.skipped++
		return 1, e, false
	}
	size, err := frameSize(d.buf)
	switch {
	case err != nil:
		return d.broken()
	case size == 0 || len(d.buf) < size:
		return 0, e, false
	}
	m, err := ParseFrame(d.buf[:size])
	if err != nil {
		return d.broken()
	}
	return size, Event{Kind: Frame, Message: m}, true
}

// broken gives up the frame at the start of the buffer, but not what follows its
// first byte: a byte lost on the line makes a frame reach into the next one.
func (d *Decoder) broken() (int, Event, bool) {
	d.skipped++
	first := d.within == 0
	d.within = len(d.buf)
	return 1, Event{Kind: Broken}, first
}
