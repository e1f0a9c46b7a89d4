package drivers_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/holdfast-go/holdfast/drivers"
)

func ExampleLoad() {
	dir, err := os.MkdirTemp("", "holdfast-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "config.yaml")
	err = os.WriteFile(path, []byte(`
etcd:
  endpoints: [https://m1:2379, https://m2:2379, https://m3:2379]
  ca: /etc/holdfast/ca.crt
  cert: /etc/holdfast/client.crt
  key: /etc/holdfast/client.key
sql:
  dsn: postgres://db:5432/shop
  username: shop
  password: secret
`), 0o600)
	if err != nil {
		fmt.Println(err)
		return
	}

	conf, err := drivers.Load(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(conf.Etcd.Endpoints)
	fmt.Println(conf.SQL)
	// Output:
	// [https://m1:2379 https://m2:2379 https://m3:2379]
	// {DSN:postgres://db:5432/shop Username:shop Password:xxxxx}
}

// The configuration of a Spring Boot service works as it is.
func ExampleParse_spring() {
	conf, err := drivers.Parse([]byte(`
leopold:
  etcd:
    endpoint: https://m1:2379,https://m2:2379
    cert: D:\app\etcd\ca\server-ca.crt
    keyCert: D:\app\etcd\ca\client.crt
    keyFile: D:\app\etcd\ca\client.key
spring:
  datasource:
    url: jdbc:postgresql://${EXAMPLE_DB_HOST:localhost}/shop
    username: shop
    password: secret
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(conf.Etcd.CA)
	fmt.Println(conf.Etcd.Cert)
	fmt.Println(conf.SQL)
	// Output:
	// D:\app\etcd\ca\server-ca.crt
	// D:\app\etcd\ca\client.crt
	// {DSN:postgres://localhost:5432/shop Username:shop Password:xxxxx}
}

// All mistakes are reported at once, by name and line, and without a value.
func ExampleConfigError() {
	_, err := drivers.Parse([]byte(`
etcd:
  endpoints: [https://m1:2379, m2]
  cert: client.crt
  dialTimeout: 5
sql:
  dsn: oracle://shop:secret@db/shop
`))
	if all, ok := errors.AsType[*drivers.ConfigError](err); ok {
		for _, p := range all.Problems {
			fmt.Println(p)
		}
	}
	// Output:
	// line 5: etcd.dialTimeout: is not a duration with a unit, such as 5s or 500ms
	// line 3: etcd.endpoints[1]: has no port; etcd's is 2379
	// etcd.key: is not set, but etcd.cert is
	// sql.dialect: is not set, and the dsn does not tell: say postgres, mysql or sqlite
}

func ExampleOpenSQL() {
	db, err := drivers.OpenSQL(context.Background(), drivers.SQLConfig{DSN: ":memory:"})
	if err != nil {
		fmt.Println(err)
		return
	}
	var sum int
	if err := db.Raw("SELECT 1 + 1").Scan(&sum).Error; err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(db.Name(), sum)

	pool, err := db.DB()
	if err == nil {
		err = pool.Close()
	}
	fmt.Println(err)
	// Output:
	// sqlite 2
	// <nil>
}

// An endpoint that cannot be used is named, with the reason.
func ExampleOpenEtcd() {
	_, err := drivers.OpenEtcd(context.Background(), drivers.EtcdConfig{
		Endpoints: []string{"http://127.0.0.1:1"},
	})
	if ep, ok := errors.AsType[*drivers.EndpointError](err); ok {
		fmt.Println(ep.Endpoint, "-", ep.Reason)
	}
	fmt.Println(errors.Is(err, drivers.ErrUnavailable))
	// Output:
	// http://127.0.0.1:1 - nothing listens there
	// true
}
