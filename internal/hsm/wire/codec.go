package wire

import (
	"encoding/binary"

	"tallystick.example/internal/pure/secret"
)

// A codec writes or reads the fields of one message. A message is described
// once, by a function that names its fields in order; the same function then
// encodes and decodes, so that the two cannot drift apart. After the first
// failure the codec does nothing more.
type codec struct {
	b       []byte // what was written, or what is still to be read
	decode  bool
	invalid bool
}

// take removes n bytes from the input.
func (c *codec) take(n int) []byte {
	if c.invalid || n > len(c.b) {
		c.invalid = true
		return nil
	}
	p := c.b[:n:n]
	c.b = c.b[n:]
	return p
}

func (c *codec) uint64(p *uint64) {
	if !c.decode {
		c.b = binary.BigEndian.AppendUint64(c.b, *p)
	} else if in := c.take(8); in != nil {
		*p = binary.BigEndian.Uint64(in)
	}
}

func (c *codec) uint32(p *uint32) {
	if !c.decode {
		c.b = binary.BigEndian.AppendUint32(c.b, *p)
	} else if in := c.take(4); in != nil {
		*p = binary.BigEndian.Uint32(in)
	}
}

// small is a number of one byte, at most limit.
func (c *codec) small(p *int, limit int) {
	if !c.decode {
		c.invalid = c.invalid || *p < 0 || *p > limit
		c.b = append(c.b, byte(*p))
	} else if in := c.take(1); in != nil {
		*p = int(in[0])
		c.invalid = *p > limit
	}
}

func (c *codec) flag(p *bool) {
	n := 0
	if *p {
		n = 1
	}
	c.small(&n, 1)
	if c.decode { // encoding never writes: callers share what they send
		*p = n == 1
	}
}

// fixed is an array of known length.
func (c *codec) fixed(p []byte) {
	if !c.decode {
		c.b = append(c.b, p...)
	} else if in := c.take(len(p)); in != nil {
		copy(p, in)
	}
}

// bytes is a field of at most limit bytes behind its two-byte length. A decoded
// field is a part of the frame, not a copy; an empty one is nil.
func (c *codec) bytes(p *[]byte, limit int) {
	if !c.decode {
		if len(*p) > limit {
			c.invalid = true
			return
		}
		c.b = binary.BigEndian.AppendUint16(c.b, uint16(len(*p)))
		c.b = append(c.b, *p...)
		return
	}
	head := c.take(2)
	if head == nil {
		return
	}
	n := int(binary.BigEndian.Uint16(head))
	if n > limit {
		c.invalid = true
		return
	}
	if n > 0 {
		*p = c.take(n)
	}
}

// text is bytes as a string type.
func text[S ~string](c *codec, p *S, limit int) {
	var b []byte
	if !c.decode {
		b = []byte(*p)
	}
	c.bytes(&b, limit)
	if c.decode {
		*p = S(b)
	}
}

// secret is bytes as a Secret; a decoded one is a copy.
func (c *codec) secret(p *secret.Secret, limit int) {
	var b []byte
	if !c.decode {
		b = p.Expose()
	}
	c.bytes(&b, limit)
	if c.decode && len(b) > 0 {
		*p = secret.New(b)
	}
}

// choice is one value of a list, as its index.
func choice[T comparable](c *codec, p *T, of ...T) {
	n := -1
	for i, v := range of {
		if !c.decode && v == *p {
			n = i
		}
	}
	c.small(&n, len(of)-1)
	if c.decode && !c.invalid {
		*p = of[n]
	}
}

// list is a list of at most limit elements.
func list[T any](c *codec, p *[]T, limit int, element func(*codec, *T)) {
	n := len(*p)
	c.small(&n, limit)
	if c.invalid {
		return
	}
	if c.decode && n > 0 {
		*p = make([]T, n)
	}
	for i := range *p {
		element(c, &(*p)[i])
	}
}

// A Kind is one type of message and how it is written.
type Kind[T any] struct {
	fields func(*codec, *T)
}

// Append adds v to dst. It gives ErrFrame when a field is longer than its limit
// or not among its choices.
func (k Kind[T]) Append(dst []byte, v T) ([]byte, error) {
	c := codec{b: dst}
	k.fields(&c, &v)
	if c.invalid {
		clear(c.b[len(dst):])
		return nil, ErrFrame
	}
	return c.b, nil
}

// Decode reads b, which must hold one message and nothing else, else it gives
// ErrFrame. Byte slices of the result are parts of b; Secrets are copies.
func (k Kind[T]) Decode(b []byte) (T, error) {
	c := codec{b: b, decode: true}
	var v T
	k.fields(&c, &v)
	if c.invalid || len(c.b) != 0 {
		var none T
		return none, ErrFrame
	}
	return v, nil
}
