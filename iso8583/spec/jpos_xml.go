package spec

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// An element is one of the XML tree of a packager.
type element struct {
	name  string
	attrs map[string]string
	kids  []*element
	line  int
}

// Bounds of a packager's XML, besides MaxSize and MaxFields.
const (
	maxXMLDepth = MaxDepth + 2
	maxXMLAttr  = 4096 // bytes of an attribute
)

// parseXML reads the tree of a packager. A document type is passed over: what it
// names is not fetched, and entities that it declares stay unknown, so that they
// can neither reach a file nor grow.
func parseXML(raw []byte) (*element, *Error) {
	if len(raw) > MaxSize {
		return nil, bad("", "it has more than %d bytes", MaxSize)
	}
	d := xml.NewDecoder(bytes.NewReader(raw))
	d.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		if strings.EqualFold(charset, "us-ascii") {
			return in, nil
		}
		return nil, errors.New("its character set is not UTF-8")
	}
	x := xmlReader{d: d}
	for {
		t, err := d.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			line, _ := d.InputPos()
			return nil, bad("", "it is no XML near line %d, or has an entity that is not known", line)
		}
		if e := x.token(t); e != nil {
			return nil, e
		}
	}
	if x.root == nil || len(x.open) > 0 {
		return nil, bad("", "it is no XML of one whole element")
	}
	return x.root, nil
}

type xmlReader struct {
	d     *xml.Decoder
	root  *element
	open  []*element
	count int
}

func (x *xmlReader) token(t xml.Token) *Error {
	line, _ := x.d.InputPos()
	switch t := t.(type) {
	case xml.StartElement:
		return x.start(t, line)
	case xml.EndElement:
		if len(x.open) == 0 || x.open[len(x.open)-1].name != t.Name.Local {
			return bad("", "the element %s ends on line %d without a beginning", shown(t.Name.Local), line)
		}
		x.open = x.open[:len(x.open)-1]
	case xml.CharData:
		if len(bytes.TrimSpace(t)) > 0 {
			return bad("", "there is text on line %d, where only elements belong", line)
		}
	}
	return nil
}

func (x *xmlReader) start(t xml.StartElement, line int) *Error {
	if x.count++; x.count > MaxFields {
		return bad("", "it has more than %d elements", MaxFields)
	}
	if len(x.open) == maxXMLDepth {
		return bad("", "elements are nested more than %d deep on line %d", maxXMLDepth, line)
	}
	e := &element{name: t.Name.Local, attrs: map[string]string{}, line: line}
	for _, a := range t.Attr {
		if _, twice := e.attrs[a.Name.Local]; twice {
			return bad("", "the attribute %s is there twice on line %d", shown(a.Name.Local), line)
		}
		if len(a.Value) > maxXMLAttr {
			return bad("", "the attribute %s on line %d is too long", shown(a.Name.Local), line)
		}
		e.attrs[a.Name.Local] = a.Value
	}
	switch {
	case len(x.open) > 0:
		up := x.open[len(x.open)-1]
		up.kids = append(up.kids, e)
	case x.root != nil:
		return bad("", "a second element begins on line %d", line)
	default:
		x.root = e
	}
	x.open = append(x.open, e)
	return nil
}
