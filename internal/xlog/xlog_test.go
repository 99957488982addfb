package xlog_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"tallystick.example/internal/xlog"
)

const (
	pan19 = "9929000000000000005" // no scheme begins with 9
	pan   = "4761739001010119"    // a scheme's published test number
)

func TestScrub(t *testing.T) {
	for in, want := range map[string]string{
		"pan " + pan + " end":                     "pan 476173******0119 end",
		`{"x":"` + pan + `"}`:                     `{"x":"476173******0119"}`,
		"57114761739001010119D22122011143878089F": "***************************************",
		"stan 000123 rrn 123456789012":            "stan 000123 rrn 123456789012",
		"2026-11-25T13:42:33.123456789Z":          "2026-11-25T13:42:33.123456789Z",
		"1795614153123456":                        "1795614153123456", // microseconds since 1970: begins with 1
		"e3b0c44298fc1c149afbf4c8996fb924":        "e3b0c44298fc1c149afbf4c8996fb924",
		pan19:                                     pan19,
		"":                                        "",
	} {
		if got := string(xlog.Scrub([]byte(in))); got != want {
			t.Errorf("Scrub(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLoggerScrubsEveryWayIn(t *testing.T) {
	var out bytes.Buffer
	log, err := xlog.New(&out, "debug")
	if err != nil {
		t.Fatal(err)
	}
	type inner struct{ Track string }
	log.WithError(errors.New("bad card "+pan)).WithField("s", inner{pan}).WithField(pan, 1).Info("seen " + pan)
	log.WithField("f", func() {}).Info("cannot be encoded " + pan)
	if strings.Contains(out.String(), pan) {
		t.Errorf("the log shows a PAN: %s", out.String())
	}
	if !strings.Contains(out.String(), "476173******0119") {
		t.Errorf("nothing was logged: %s", out.String())
	}
}

func TestRecoverShowsNoValue(t *testing.T) {
	var out bytes.Buffer
	log := logrus.New()
	log.SetOutput(&out)
	died := make(chan struct{})
	xlog.Go(log, "worker", func() { panic(fmt.Sprintf("cannot parse %s", pan)) }, func() { close(died) })
	<-died
	if s := out.String(); strings.Contains(s, pan) || !strings.Contains(s, "TestRecoverShowsNoValue") {
		t.Errorf("log is %q", s)
	}
}

func TestLevel(t *testing.T) {
	for _, l := range []string{"fatal", "panic", "loud", ""} {
		if _, err := xlog.New(&bytes.Buffer{}, l); err == nil {
			t.Errorf("level %q was accepted", l)
		}
	}
}

func FuzzScrub(f *testing.F) {
	f.Add([]byte("x" + pan + "y"))
	f.Fuzz(func(t *testing.T, in []byte) {
		once := bytes.Clone(xlog.Scrub(in))
		if len(once) != len(in) {
			t.Fatalf("length changed: %q", in)
		}
		if !bytes.Equal(xlog.Scrub(once), once) {
			t.Fatalf("scrubbing twice changes %q", once)
		}
	})
}
