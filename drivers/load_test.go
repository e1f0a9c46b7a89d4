package drivers_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/drivers"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	t.Run("Native", func(t *testing.T) {
		t.Parallel()
		got, err := drivers.Load("testdata/native.yaml")
		if err != nil {
			t.Fatal(err)
		}
		want := drivers.Config{
			Etcd: drivers.EtcdConfig{
				Endpoints: []string{"https://m1:2379", "https://m2:2379", "https://m3:2379"},
				CA:        "/etc/holdfast/ca.crt", Cert: "/etc/holdfast/client.crt", Key: "/etc/holdfast/client.key",
				ServerName: "etcd.internal", Username: "orders", Password: "etcd-secret",
				DialTimeout: 3 * time.Second, KeepAliveTime: 2 * time.Second, KeepAliveTimeout: 4 * time.Second,
				Proxy: drivers.ProxyFromEnvironment,
			},
			SQL: drivers.SQLConfig{
				Dialect: drivers.Postgres, DSN: "postgres://db:5432/shop", Username: "shop", Password: "sql-secret",
				MaxOpenConns: 20, MaxIdleConns: 5, ConnMaxLifetime: time.Hour, ConnMaxIdleTime: 5 * time.Minute,
				DialTimeout: 2 * time.Second,
			},
			Mongo: drivers.MongoConfig{
				URI: "mongodb://mongo:27017/?replicaSet=rs0", Database: "shop", Username: "shop", Password: "mongo-secret",
				DialTimeout: 4 * time.Second,
			},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %v", got)
		}
	})
	t.Run("Spring", func(t *testing.T) {
		t.Parallel()
		got, err := drivers.Load("testdata/application.yaml")
		if err != nil {
			t.Fatal(err)
		}
		want := drivers.Config{
			Etcd: drivers.EtcdConfig{
				Endpoints: []string{"https://m1:2379", "https://m2:2379", "https://m3:2379"},
				CA:        `D:\app\etcd\ca\server-ca.crt`, Cert: `D:\app\etcd\ca\client.crt`, Key: `D:\app\etcd\ca\client.key`,
			},
			SQL:   drivers.SQLConfig{DSN: "jdbc:postgresql://db:5432/shop?currentSchema=orders", Username: "shop", Password: "pg-secret"},
			Mongo: drivers.MongoConfig{URI: "mongodb://shop:mongo-secret@mongo:27017/catalog", Database: "catalog"},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %v", got)
		}
	})
	t.Run("Absent", func(t *testing.T) {
		t.Parallel()
		if _, err := drivers.Load("testdata/absent.yaml"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "testdata/absent.yaml") {
			t.Error(err)
		}
		if _, err := drivers.Load("testdata"); err == nil {
			t.Error("a folder was read")
		}
	})
	t.Run("TooLarge", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "large.yaml")
		if err := os.WriteFile(path, bytes.Repeat([]byte("#\n"), 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := drivers.Load(path); !errors.Is(err, drivers.ErrInvalid) {
			t.Error(err)
		}
	})
}

func TestLoad_EnvironmentAlone(t *testing.T) {
	t.Setenv("HOLDFAST_ETCD_ENDPOINTS", "http://127.0.0.1:2379")
	c, err := drivers.Load("")
	if err != nil || len(c.Etcd.Endpoints) != 1 {
		t.Fatalf("%v %v", c, err)
	}
	t.Setenv("HOLDFAST_ETCD_ENDPOINTS", "nonsense")
	if _, err := drivers.Load(""); !errors.Is(err, drivers.ErrInvalid) || !strings.Contains(err.Error(), "HOLDFAST_ETCD_ENDPOINTS[0]") {
		t.Error(err)
	}
}

// Ensure that no way of printing a configuration shows a password.
func TestConfig_Masks(t *testing.T) {
	t.Parallel()
	const secret = "s3cr!t~canary"
	for _, c := range []drivers.Config{
		{
			Etcd:  drivers.EtcdConfig{Endpoints: []string{"https://u:" + secret + "@h:1"}, Username: "u", Password: secret, Proxy: "http://u:" + secret + "@p:1"},
			SQL:   drivers.SQLConfig{DSN: "postgres://u:" + secret + "@h/d", Password: secret},
			Mongo: drivers.MongoConfig{URI: "mongodb://u:" + secret + "@h/d", Password: secret},
		},
		{SQL: drivers.SQLConfig{DSN: "u:" + secret + "@tcp(h:1)/d?x=" + secret}, Mongo: drivers.MongoConfig{URI: "mongodb://u:x/" + secret + "@h/d"}},
		{SQL: drivers.SQLConfig{DSN: "host=h password='" + secret + "'"}, Mongo: drivers.MongoConfig{URI: "mongodb://h/?authMechanismProperties=AWS_SESSION_TOKEN:" + secret}},
		{SQL: drivers.SQLConfig{DSN: "postgres://us:12/" + secret + "@h/d"}, Mongo: drivers.MongoConfig{URI: secret}},
		{SQL: drivers.SQLConfig{DSN: "jdbc:mysql://h/d?user=u&password=" + secret}},
		{SQL: drivers.SQLConfig{DSN: secret}},
		{SQL: drivers.SQLConfig{Dialect: "sqlite", DSN: "u:" + secret + "@tcp(h:3306)/d"}},
		{SQL: drivers.SQLConfig{Dialect: "sqlite", DSN: "u:" + secret + "@(h:3306)/d"}},
		{SQL: drivers.SQLConfig{Dialect: "sqlite", DSN: "u:" + secret + "@h/d"}},
		{SQL: drivers.SQLConfig{Dialect: "sqlite", DSN: "application_name=x password=" + secret}},
		{SQL: drivers.SQLConfig{DSN: "jdbc:mysql://u:" + secret + "@h/d"}},
		{SQL: drivers.SQLConfig{DSN: "jdbc:oracle:thin:u/" + secret + "@h:1521:x"}},
		{SQL: drivers.SQLConfig{DSN: "jdbc:sqlite:x.db?password=" + secret}},
		{SQL: drivers.SQLConfig{DSN: "sqlite:x.db?_pragma=key('" + secret + "')"}},
	} {
		var log bytes.Buffer
		text := slog.New(slog.NewTextHandler(&log, nil))
		js := slog.New(slog.NewJSONHandler(&log, nil))
		text.Info("x", "c", c, "etcd", c.Etcd, "sql", c.SQL, "mongo", c.Mongo, "inner", struct{ C drivers.Config }{c})
		js.Info("x", "c", c, "etcd", c.Etcd, "sql", c.SQL, "mongo", c.Mongo, "inner", struct{ C drivers.Config }{c})
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%T"} {
			fmt.Fprintf(&log, verb+verb+verb+verb+verb, c, c.Etcd, c.SQL, c.Mongo, &c)
		}
		data, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		log.Write(data)
		if _, err := drivers.Parse(fmt.Appendf(nil, "sql: {dsn: %q}\nmongo: {uri: %q}\n", c.SQL.DSN, c.Mongo.URI)); err != nil {
			log.WriteString(err.Error())
		}
		if i := strings.Index(log.String(), secret); i >= 0 {
			t.Errorf("the password shows: %s", log.String()[max(0, i-60):i+20])
		}
		if i := strings.Index(log.String(), fmt.Sprintf("%x", secret)); i >= 0 {
			t.Errorf("the password shows in hexadecimal")
		}
	}
}
