//go:build !(386 || arm || mips || mipsle)

package codec_test

import (
	"testing"

	"github.com/moov-io/iso8583/specs"
	"tallystick.example/iso8583/codec"
)

func TestCompileSpecs(t *testing.T) {
	if _, err := codec.Compile(specs.Spec87ASCII); err != nil {
		t.Error(err)
	}
	if _, err := codec.Compile(specs.Spec87Hex); err != nil {
		t.Error(err)
	}
}
