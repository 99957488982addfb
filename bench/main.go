// Command bench measures echo hosts side by side over TLS 1.3 on loopback: our
// framing and codec, moov-io/iso8583-connection, and raw bytes. Each server is a
// process of its own, rounds are interleaved, and what counts is the processor
// time per request of each side, which a busy machine disturbs less than time.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"tallystick.example/internal/xtls"
	"tallystick.example/iso8583"
)

func main() {
	serveKind := flag.String("serve", "", "run as the server of this kind (raw, ours, moov)")
	dir := flag.String("dir", "", "folder with the certificate, for -serve")
	rounds := flag.Int("rounds", 15, "rounds, interleaved")
	requests := flag.Int("requests", 5000, "requests of a run; moov makes a tenth")
	conns := flag.String("conns", "1,16,64,256", "connections of a run")
	flag.Parse()
	// Client and server share the machine: half of the processors for each.
	runtime.GOMAXPROCS(max(1, runtime.NumCPU()/2))
	var err error
	if *serveKind != "" {
		err = beServer(*serveKind, *dir)
	} else {
		err = run(*rounds, *requests, *conns)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// beServer serves until its input ends, and tells its processor time when asked.
func beServer(kind, dir string) error {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert"), filepath.Join(dir, "key"))
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		err := serve(l, kind, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, SessionTicketsDisabled: true})
		if !errors.Is(err, net.ErrClosed) {
			fmt.Fprintln(os.Stderr, "bench: accepting:", err)
		}
	}()
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(l.Addr().String()); err != nil {
		return err
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		d, err := cpu()
		if err == nil {
			err = out.Encode(d)
		}
		if err != nil {
			return err
		}
	}
	return errors.Join(in.Err(), l.Close())
}

// certificate makes a server's certificate in dir and gives the client's
// configuration.
func certificate(dir string) (*tls.Config, error) {
	ca, caPEM, _, err1 := xtls.NewCA("bench", true, time.Now())
	key, keyPEM, err2 := xtls.NewKey()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	cert, err1 := ca.SignServer(key.Public(), []string{"localhost"}, time.Now())
	err2 = os.WriteFile(filepath.Join(dir, "cert"), cert, 0o600)
	err3 := os.WriteFile(filepath.Join(dir, "key"), keyPEM, 0o600)
	pool, err4 := xtls.Pool(caPEM)
	return &tls.Config{MinVersion: tls.VersionTLS13, ServerName: "localhost", RootCAs: pool}, errors.Join(err1, err2, err3, err4)
}

// pairings are what is measured: a server, the client of the same kind, and which
// part of the requests it makes. Server and client of one kind, because a client
// that is quicker than its server sleeps, and waking it is then the server's time.
var pairings = []struct {
	kind string
	part int
}{{kindRaw, 1}, {kindOurs, 1}, {kindMoov, 10}}

func run(rounds, requests int, list string) (err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	config, err := certificate(dir)
	if err != nil {
		return err
	}
	servers := map[string]*child{}
	for _, kind := range []string{kindRaw, kindOurs, kindMoov} {
		if servers[kind], err = start(kind, dir); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, servers[kind].stop()) }()
	}
	fmt.Printf("echo over TLS 1.3, %d bytes, %d rounds interleaved: processor time per request in µs, medians\n", len(sample), rounds)
	fmt.Println("connections  server:  raw    ours   ours/raw  moov    moov/raw   client:  raw    ours    moov")
	for _, s := range strings.Split(list, ",") {
		conns, err := strconv.Atoi(s)
		if err != nil || conns < 1 || conns > 4096 {
			return fmt.Errorf("%q connections", s)
		}
		if err := level(servers, conns, rounds, requests, config); err != nil {
			return err
		}
	}
	alone, err := work(20000)
	fmt.Printf("framing and codec of our server alone, without a connection: %.2f µs\n", float64(alone.Nanoseconds())/1e3)
	return err
}

// work is the processor time of what our server does with one request between
// reading and writing: the part that is not TLS, system calls and scheduling.
func work(requests int) (time.Duration, error) {
	frame, err := iso8583.AppendFrame(nil, iso8583.Frame{Body: sample})
	if err != nil {
		return 0, err
	}
	w, buf, in := workers.Get().(*worker), make([]byte, 1024), bytes.NewReader(nil)
	begin, err := cpu()
	for range requests {
		in.Reset(frame)
		f, err := iso8583.ReadFrame(in, buf, iso8583.Limits{})
		if err == nil {
			err = w.answer(f)
		}
		if err != nil {
			return 0, err
		}
	}
	end, err2 := cpu()
	return (end - begin) / time.Duration(requests), errors.Join(err, err2)
}

// level measures all pairings at one number of connections.
func level(servers map[string]*child, conns, rounds, requests int, config *tls.Config) error {
	results, clients := make([][]result, len(pairings)), make([][]client, len(pairings))
	for i, p := range pairings {
		var err error
		if clients[i], err = connect(servers[p.kind], p.kind, conns, config); err != nil {
			return fmt.Errorf("%s: %w", p.kind, err)
		}
	}
	for round := range rounds {
		for k := range pairings {
			i := k
			if round%2 == 1 { // there and back, so that none is always the first
				i = len(pairings) - 1 - k
			}
			p := pairings[i]
			r, err := load(servers[p.kind], clients[i], max(requests/p.part, conns))
			if err != nil {
				return fmt.Errorf("%s: %w", p.kind, err)
			}
			results[i] = append(results[i], r)
		}
	}
	for _, list := range clients {
		for _, c := range list {
			if err := c.Close(); err != nil {
				return err
			}
		}
	}
	server := func(r result) time.Duration { return r.server }
	client := func(r result) time.Duration { return r.client }
	fmt.Printf("%11d  %12.1f  %6.1f  %8.2f  %6.1f  %8.2f  %13.1f  %6.1f  %6.1f\n", conns,
		median(results[0], server), median(results[1], server), median(results[1], server)/median(results[0], server),
		median(results[2], server), median(results[2], server)/median(results[0], server),
		median(results[0], client), median(results[1], client), median(results[2], client))
	return nil
}

// median is the middle of the rounds, in microseconds.
func median(list []result, of func(result) time.Duration) float64 {
	var v []float64
	for _, r := range list {
		v = append(v, float64(of(r).Nanoseconds())/1e3)
	}
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
