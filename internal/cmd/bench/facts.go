package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/version"
)

// machineFacts tells what the figures were measured on.
func machineFacts(ctx context.Context, dir, redisAddr string, c config) ([][2]string, error) {
	fsync, err := fsyncTime(dir)
	if err != nil {
		return nil, fmt.Errorf("timing fsync: %w", err)
	}
	facts := [][2]string{
		{"Date", time.Now().UTC().Format(time.DateOnly)},
		{"Machine", fmt.Sprintf("%s, %s/%s, %s", plural(runtime.GOMAXPROCS(0), "core"), runtime.GOOS, runtime.GOARCH, runtime.Version())},
		{"etcd", fmt.Sprintf("%s, embedded, all members in one process, apart from the measured one, on disk with fsync, which takes %s µs here (median of 4 KiB appended)", version.Version, number(fsync))},
	}
	if redisAddr == "" {
		facts = append(facts, [2]string{"Redis", "not measured, REDIS_ADDR was not set"})
	} else {
		text, err := redisFacts(ctx, redisAddr)
		if err != nil {
			return nil, fmt.Errorf("asking Redis: %w", err)
		}
		facts = append(facts, [2]string{"Redis", text})
	}
	facts = append(facts, [2]string{"Peers", peerVersions()})
	return append(facts, [2]string{"Rounds", fmt.Sprintf("%d, the peers in turns within each, beginning with another one every time", c.rounds)}), nil
}

// fsyncTime returns the median microseconds of an append that is on disk.
func fsyncTime(dir string) (_ float64, err error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	block := make([]byte, 4096)
	var all []float64
	for range 100 {
		began := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		all = append(all, micros(time.Since(began)))
	}
	return median(all), nil
}

func redisFacts(ctx context.Context, addr string) (string, error) {
	cli, err := redisClient(ctx, servers{Redis: addr})
	if err != nil {
		return "", err
	}
	defer cli.Close()
	info, err := cli.Info(ctx, "server", "persistence").Result()
	if err != nil {
		return "", err
	}
	field := map[string]string{}
	for l := range strings.Lines(info) {
		if k, v, ok := strings.Cut(strings.TrimSpace(l), ":"); ok {
			field[k] = v
		}
	}
	disk := "without an append-only file: a crash forgets locks"
	if field["aof_enabled"] == "1" {
		disk = "with an append-only file"
	}
	return fmt.Sprintf("%s, one server, %s", field["redis_version"], disk), nil
}

// peerVersions names the modules that were measured against.
func peerVersions() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "of unknown versions"
	}
	var all []string
	for _, m := range info.Deps {
		switch m.Path {
		case "go.etcd.io/etcd/client/v3", "github.com/go-redsync/redsync/v4", "github.com/bsm/redislock", "github.com/redis/go-redis/v9":
			all = append(all, m.Path+" "+m.Version)
		}
	}
	return strings.Join(all, ", ")
}
