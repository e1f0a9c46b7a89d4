package drivers_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/drivers"
)

// canary stands for every value that may be a secret. It does not look like a
// name, since errors show names.
const canary = "s3cr!t~canary"

// FuzzParse checks that no file makes Parse panic, that every error is a list
// of mistakes, and that neither an error nor a printed configuration holds what
// the file holds as a value: the word SECRET in the input becomes the canary.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"testdata/native.yaml", "testdata/application.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	for _, text := range []string{
		"spring.datasource:\n  a: {url: 'jdbc:mysql://SECRET/d'}\n  b: {url: 'jdbc:oracle:thin:u/SECRET@h'}\n",
		"spring.datasource:\n  a: {url: 'jdbc:mysql://u:SECRET@h/d?password=SECRET'}\n  b: {url: SECRET}\n",
		"spring.config.import: 'configserver:http://u:SECRET@h'\nspring.datasource.password: '{cipher}SECRET'\n",
		"spring.datasource: {url: 'jdbc:mysql://h/d', password: @SECRET@}\nspring.datasource.hikari.data-source-properties.password: SECRET\n",
		"sql: {dialect: sqlite, dsn: 'u:SECRET@(h:3306)/d'}\n",
		"spring.data.mongodb: {uri: 'mongodb://u:SECRET@h/d', ssl.enabled: true, uuid-representation: SECRET}\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ReplaceAll(text, "SECRET", canary)
		c, err := drivers.Parse([]byte(text))
		if err != nil {
			var all *drivers.ConfigError
			if !errors.As(err, &all) || len(all.Problems) == 0 {
				t.Errorf("not a list of mistakes: %v", err)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error holds a value: %v", err)
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Errorf("accepted, but not valid: %v", err)
		}
		// The parts that are shown are names and addresses; of those that may
		// hold a secret nothing may show.
		only := drivers.Config{
			Etcd:  drivers.EtcdConfig{Password: c.Etcd.Password, Proxy: c.Etcd.Proxy},
			SQL:   drivers.SQLConfig{Password: c.SQL.Password},
			Mongo: drivers.MongoConfig{Password: c.Mongo.Password},
		}
		if u, _, _ := strings.Cut(c.Etcd.Proxy, "@"); u == c.Etcd.Proxy {
			only.Etcd.Proxy = ""
		}
		if s := fmt.Sprintf("%v %d", only, only); strings.Contains(s, canary) {
			t.Errorf("the printed configuration holds a secret: %s", s)
		}
	})
}
