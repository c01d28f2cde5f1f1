// Command bench measures the built binary against the stores' own speed, in
// turn in one run, and prints ratios, which outlast the machine they were
// measured on. It needs a PostgreSQL it may create databases in, named by
// PLUMBLINE_TEST_POSTGRES_URL, and bin/plumbline; stores needs a MySQL and a MongoDB
// too, named by PLUMBLINE_TEST_MYSQL_URL and PLUMBLINE_TEST_MONGODB_URL.
//
//	go run ./bench            everything
//	go run ./bench ranges     two tables of 2 million records against binary COPY of both
//	go run ./bench memory     peak memory at 100,000 and 1 million records a side
//	go run ./bench stores     200,000 records of a PostgreSQL and of a MySQL, and of a
//	                          MongoDB, against the drivers' bare drains of both at once
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	url := os.Getenv("PLUMBLINE_TEST_POSTGRES_URL")
	if url == "" {
		return fmt.Errorf("PLUMBLINE_TEST_POSTGRES_URL is not set: run `make bench`, which starts a server")
	}
	all := map[string]func(context.Context, *shop) error{"ranges": benchRanges, "memory": benchMemory, "stores": benchStores}
	if len(args) == 0 {
		args = []string{"ranges", "memory", "stores"}
	}
	for _, name := range args {
		measure, ok := all[name]
		if !ok {
			return fmt.Errorf("unknown measurement %q: there are ranges, memory and stores", name)
		}
		s, err := openShop(ctx, url)
		if err != nil {
			return err
		}
		err = measure(ctx, s)
		if cerr := s.close(context.WithoutCancel(ctx)); err == nil {
			err = cerr
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// benchRanges pairs binary COPY of both tables through psql with a whole run
// of the binary over the same tables, of which 450 records differ.
func benchRanges(ctx context.Context, s *shop) error {
	const records, rounds = 2_000_000, 7
	fmt.Printf("loading two tables of %d records\n", records)
	if err := s.load(ctx, records, drift450); err != nil {
		return err
	}
	var copies, runs, ratios []float64
	for round := range rounds + 1 {
		copied, err := s.copyBoth(ctx)
		if err != nil {
			return err
		}
		ran, err := s.runBinary(ctx, 450, "ranges")
		if err != nil {
			return err
		}
		if round == 0 {
			continue // warms the caches
		}
		fmt.Printf("  round %d: COPY %.2f s, plumbline run %.2f s, ratio %.2f\n", round, copied.Seconds(), ran.took.Seconds(), ran.took.Seconds()/copied.Seconds())
		copies, runs = append(copies, copied.Seconds()), append(runs, ran.took.Seconds())
		ratios = append(ratios, ran.took.Seconds()/copied.Seconds())
	}
	fmt.Printf("figure: ranges, %d records a side, 450 differ: COPY %.2f s, plumbline %.2f s, ratio %.2f (medians of %d; %.2f to %.2f)\n",
		records, median(copies), median(runs), median(ratios), rounds, slices.Min(ratios), slices.Max(ratios))
	return nil
}

// benchMemory prints the peak resident memory of the binary.
func benchMemory(ctx context.Context, s *shop) error {
	for _, drift := range []struct {
		name  string
		apply func(records int) []string
		count func(records int) int
	}{{"0 %", nothing, func(int) int { return 0 }}, {"100 %", everything, func(n int) int { return n }}} {
		var peaks []int64
		for _, records := range []int{100_000, 1_000_000} {
			if err := s.load(ctx, records, drift.apply); err != nil {
				return err
			}
			ran, err := s.runBinary(ctx, drift.count(records), "ranges")
			if err != nil {
				return err
			}
			peaks = append(peaks, ran.peak)
			fmt.Printf("figure: memory, %d records a side, %s differ: peak %.1f MiB in %.1f s\n", records, drift.name, mib(ran.peak), ran.took.Seconds())
		}
		fmt.Printf("figure: memory, %s differ: growth from 100,000 to 1,000,000 records %+.1f MiB\n", drift.name, mib(peaks[1]-peaks[0]))
	}
	return nil
}

func median(xs []float64) float64 {
	sorted := slices.Sorted(slices.Values(xs))
	return sorted[len(sorted)/2]
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

type outcome struct {
	took time.Duration
	peak int64 // bytes of resident memory at most
}
