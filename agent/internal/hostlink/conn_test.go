package hostlink

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/iso8583"
)

// open gives a Conn, the other end, and the frames that came.
func open(t *testing.T) (*Conn, net.Conn, chan string) {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	ours, theirs := net.Pipe()
	came := make(chan string, 16)
	c := Open(ours, Options{FrameTime: 25 * time.Second, WriteTime: 5 * time.Second, Log: log}, func(b []byte) { came <- string(b) })
	t.Cleanup(func() { _ = theirs.Close() })
	return c, theirs, came
}

func TestConnCarriesFramesBothWays(t *testing.T) {
	c, peer, came := open(t)
	for _, text := range []string{"one", "two"} {
		c.Send([]byte(text))
		f, err := iso8583.ReadFrame(peer, nil, iso8583.Limits{})
		ok(t, err)
		if string(f.Body) != text {
			t.Errorf("sent %q, the host got %q", text, f.Body)
		}
		ok(t, iso8583.WriteFrame(peer, iso8583.Frame{Body: []byte("re " + text)}))
		if got := <-came; got != "re "+text {
			t.Errorf("got %q", got)
		}
	}
	mine := errors.New("mine")
	c.Close(mine)
	c.Close(errors.New("too late"))
	if err := c.Wait(); !errors.Is(err, mine) {
		t.Errorf("ended by %v, want the first cause", err)
	}
}

func TestConnEndsWithItsPeer(t *testing.T) {
	c, peer, _ := open(t)
	ok(t, peer.Close())
	if err := c.Wait(); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%v", err)
	}
}

// TestConnIsPatientBetweenFramesOnly: silence is no fault, half a frame is, and so
// is a peer that reads nothing.
func TestConnIsPatientBetweenFramesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer, came := open(t)
		time.Sleep(time.Hour)
		ok(t, iso8583.WriteFrame(peer, iso8583.Frame{Body: []byte("late")}))
		if got := <-came; got != "late" {
			t.Errorf("got %q", got)
		}
		began := time.Now()
		_, err := peer.Write([]byte{0})
		ok(t, err)
		if err := c.Wait(); err == nil || time.Since(began) != 25*time.Second {
			t.Errorf("half a frame ended the connection after %v: %v", time.Since(began), err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c, _, _ := open(t)
		began := time.Now()
		c.Send([]byte("nobody reads this"))
		if err := c.Wait(); err == nil || time.Since(began) != 5*time.Second {
			t.Errorf("a host that does not read held the connection for %v: %v", time.Since(began), err)
		}
	})
}
