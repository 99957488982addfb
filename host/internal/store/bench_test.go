package store_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/store/storetest"
)

// BenchmarkDo measures durable items of one row each, alone and in company.
func BenchmarkDo(b *testing.B) {
	for _, e := range storetest.Engines() {
		for _, callers := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%s/%d", e.Name, callers), func(b *testing.B) {
				cfg := e.Config(b)
				cfg.Sets = sets()
				st := storetest.Open(b, cfg)
				var next atomic.Int64
				var wg sync.WaitGroup
				b.ResetTimer()
				for range callers {
					wg.Go(func() {
						for {
							n := next.Add(1)
							if n > int64(b.N) {
								return
							}
							if err := st.Do(context.Background(), "bench", insert(fmt.Sprintf("%012d", n), n)); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.StopTimer()
				s := st.Stats()
				b.ReportMetric(float64(s.Items)/b.Elapsed().Seconds(), "rows/s")
				b.ReportMetric(float64(s.Items)/float64(max(1, s.Batches)), "rows/commit")
			})
		}
	}
}

// BenchmarkRead measures a snapshot of one row, as the gateway takes one for
// every message.
func BenchmarkRead(b *testing.B) {
	for _, e := range storetest.Engines() {
		b.Run(e.Name, func(b *testing.B) {
			cfg := e.Config(b)
			cfg.Sets = sets()
			st := storetest.Open(b, cfg)
			if err := st.Do(context.Background(), "bench", insert("a", 1)); err != nil {
				b.Fatal(err)
			}
			var amount int64
			for b.Loop() {
				err := st.Read(context.Background(), func(q store.Querier) error {
					return q.QueryRow(`SELECT amount FROM item WHERE id = $1`, "a").Scan(&amount)
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
