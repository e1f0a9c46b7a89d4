package integration_test

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"go.yaml.in/yaml/v4"
)

type composeFile struct {
	Services map[string]composeService `yaml:"services"`
}

type composeService struct {
	Image       string            `yaml:"image"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Ports       []string          `yaml:"ports"`
	Healthcheck struct {
		Test     []string `yaml:"test"`
		Interval string   `yaml:"interval"`
		Timeout  string   `yaml:"timeout"`
		Retries  int      `yaml:"retries"`
	} `yaml:"healthcheck"`
}

// The compose file cannot be started everywhere the tests run, so what can be
// known of it without starting it is checked here.
func TestComposeFile(t *testing.T) {
	t.Parallel()
	text := readFile(t, "docker-compose.yml")
	var file composeFile
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}

	t.Run("HasTheServices", func(t *testing.T) {
		want := map[string]string{
			"etcd1": "etcd", "etcd2": "etcd", "etcd3": "etcd",
			"postgres": "postgres", "mysql": "mysql", "mongo": "mongo",
		}
		for name, image := range want {
			repository, _, _ := strings.Cut(file.Services[name].Image, ":")
			if repository != image && !strings.HasSuffix(repository, "/"+image) {
				t.Errorf("service %s runs %q, want an image of %s", name, file.Services[name].Image, image)
			}
		}
		for name := range file.Services {
			if _, ok := want[name]; !ok {
				t.Errorf("service %s is not expected", name)
			}
		}
	})

	t.Run("PinsItsImages", func(t *testing.T) {
		// A tag must name a full version: 17 alone moves with every release.
		pinned := regexp.MustCompile(`^[\w./-]+:v?\d+\.\d+(\.\d+)?$`)
		for name, s := range file.Services {
			if !pinned.MatchString(s.Image) {
				t.Errorf("service %s: image %q is not pinned to a version", name, s.Image)
			}
		}
	})

	t.Run("ChecksHealth", func(t *testing.T) {
		for name, s := range file.Services {
			h := s.Healthcheck
			if len(h.Test) < 2 || h.Test[0] != "CMD" {
				t.Errorf("service %s: health check %q is no command", name, h.Test)
			}
			if h.Interval == "" || h.Timeout == "" || h.Retries == 0 {
				t.Errorf("service %s: health check without interval, timeout and retries: %+v", name, h)
			}
		}
		if test := strings.Join(file.Services["mongo"].Healthcheck.Test, " "); !strings.Contains(test, "rs.initiate") {
			t.Error("nothing initiates the replica set of mongo")
		}
	})

	t.Run("FormsOneEtcdCluster", func(t *testing.T) {
		var members []string
		for name, s := range file.Services {
			if !strings.HasPrefix(name, "etcd") {
				continue
			}
			env := s.Environment
			if env["ETCD_NAME"] != name {
				t.Errorf("%s calls itself %q", name, env["ETCD_NAME"])
			}
			members = append(members, name+"="+env["ETCD_INITIAL_ADVERTISE_PEER_URLS"])
		}
		slices.Sort(members)
		for name, s := range file.Services {
			if cluster, ok := s.Environment["ETCD_INITIAL_CLUSTER"]; ok && cluster != strings.Join(members, ",") {
				t.Errorf("%s starts with cluster %q, the members are %q", name, cluster, members)
			}
		}
	})

	t.Run("PublishesWhatTheMakefileNames", func(t *testing.T) {
		published := map[string]string{} // address on this machine -> service
		for name, s := range file.Services {
			for _, p := range s.Ports {
				i := strings.LastIndex(p, ":")
				host, inside := p[:max(i, 0)], p[i+1:]
				if h, _, err := net.SplitHostPort(host); err != nil || h != "127.0.0.1" {
					t.Errorf("service %s publishes %q, want 127.0.0.1:port:port", name, p)
				}
				if other, taken := published[host]; taken {
					t.Errorf("%s and %s both publish %s", name, other, host)
				}
				published[host] = name
				// A client is sent on to the address that these two advertise.
				if advertised := strings.TrimPrefix(s.Environment["ETCD_ADVERTISE_CLIENT_URLS"], "http://"); advertised != "" && (advertised != host || !strings.HasSuffix(host, ":"+inside)) {
					t.Errorf("service %s advertises %s and publishes %s", name, advertised, p)
				}
				if name == "mongo" && (!strings.HasSuffix(host, ":"+inside) || !slices.Contains(s.Command, inside)) {
					t.Errorf("mongo publishes %s and runs %q: the port must be the same on both sides", p, s.Command)
				}
			}
		}
		named := makefileAddresses(t)
		for addr, by := range named {
			if _, ok := published[addr]; !ok {
				t.Errorf("the Makefile's %s names %s, which no service publishes", by, addr)
			}
		}
		for addr, name := range published {
			if _, ok := named[addr]; !ok {
				t.Errorf("service %s publishes %s, which the Makefile does not name", name, addr)
			}
		}
	})
}

// makefileAddresses returns the host:port pairs that `make integration` gives
// to the tests, each with the variable that names it.
func makefileAddresses(t *testing.T) map[string]string {
	t.Helper()
	env := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\t([A-Z_]+)=('?)(.*?)('?)(?: \\)?$`).FindAllSubmatch(readFile(t, "Makefile"), -1) {
		env[string(m[1])] = string(m[3])
	}
	addresses := map[string]string{}
	for e := range strings.SplitSeq(env["ETCD_ENDPOINTS"], ",") {
		addresses[e] = "ETCD_ENDPOINTS"
	}
	for _, name := range []string{"POSTGRES_DSN", "MONGODB_URI"} {
		u, err := url.Parse(env[name])
		if err != nil || u.Host == "" {
			t.Fatalf("%s=%q is no URL with a host: %v", name, env[name], err)
		}
		addresses[u.Host] = name
	}
	c, err := mysql.ParseDSN(env["MYSQL_DSN"])
	if err != nil {
		t.Fatalf("MYSQL_DSN: %v", err)
	}
	addresses[c.Addr] = "MYSQL_DSN"
	if env["REQUIRE_BACKENDS"] != "1" {
		t.Error("make integration does not set REQUIRE_BACKENDS=1: a server that is missing would be skipped")
	}
	return addresses
}
