// Springconfig loads the application.yaml of a Spring Boot service, which stays
// as it is, and prints what Holdfast makes of it. It connects to nothing.
//
//	go run ./examples/springconfig
//
// Environment variables override the file, Spring's own and Holdfast's:
//
//	DB_HOST=127.0.0.1 SPRING_PROFILES_ACTIVE=test HOLDFAST_SQL_MAX_OPEN_CONNS=5 go run ./examples/springconfig
package main

import (
	_ "embed"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/holdfast-go/holdfast/drivers"
)

//go:embed application.yaml
var application []byte

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(out io.Writer) error {
	// A program that ships its file next to it calls drivers.Load(path).
	conf, err := drivers.Parse(application)
	if err != nil {
		return err
	}
	// Passwords are masked however a section is printed.
	_, err = fmt.Fprintf(out, `etcd
  endpoints    %s
  authority    %s
  certificate  %s
  key          %s
sql
  %v
  pool         %d connections, each for at most %v
mongo
  %v
`,
		strings.Join(conf.Etcd.Endpoints, " "), conf.Etcd.CA, conf.Etcd.Cert, conf.Etcd.Key,
		conf.SQL, conf.SQL.MaxOpenConns, conf.SQL.ConnMaxLifetime, conf.Mongo)
	return err
}
