package main

import (
	"os"
	"strings"
	"testing"
)

func Example() {
	if err := run(os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// etcd
	//   endpoints    https://m1:2379 https://m2:2379 https://m3:2379
	//   authority    D:\app\etcd\ca\server-ca.crt
	//   certificate  D:\app\etcd\ca\client.crt
	//   key          D:\app\etcd\ca\client.key
	// sql
	//   {DSN:postgres://db.internal:5432/shop Username:shop Password:xxxxx}
	//   pool         20 connections, each for at most 20m0s
	// mongo
	//   {URI:mongodb://mongo.internal:27017 Database:catalog}
}

func TestEnvironmentOverrides(t *testing.T) {
	t.Setenv("SPRING_PROFILES_ACTIVE", "test")
	t.Setenv("DB_HOST", "127.0.0.1")
	t.Setenv("HOLDFAST_SQL_MAX_OPEN_CONNS", "5")
	var out strings.Builder
	if err := run(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"https://localhost:2379\n", "postgres://127.0.0.1:5432/shop", " 5 connections"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output does not hold %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "not-for-your-eyes") {
		t.Errorf("a password shows:\n%s", out.String())
	}
}
