package conventions_test

import (
	"bytes"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/go-sql-driver/mysql"

	"github.com/holdfast-go/holdfast/internal/checkout"
)

// composeProject loads docker-compose.yml as `docker compose` does, which refuses
// what its schema does not know.
func composeProject(t *testing.T, text []byte) (*types.Project, error) {
	t.Helper()
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  checkout.Root(),
		ConfigFiles: []types.ConfigFile{{Filename: "docker-compose.yml", Content: text}},
	})
}

// The compose file cannot be started everywhere the tests run, so what can be
// known of it without starting it is checked here.
func TestComposeFile(t *testing.T) {
	t.Parallel()
	text := checkout.Read(t, "docker-compose.yml")
	file, err := composeProject(t, text)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("IsRefusedWithAnUnknownName", func(t *testing.T) {
		// A name with one letter wrong must not pass in silence.
		bad := bytes.Replace(text, []byte("healthcheck:"), []byte("healthchek:"), 1)
		if _, err := composeProject(t, bad); err == nil || !strings.Contains(err.Error(), "healthchek") {
			t.Errorf("a service with a healthchek: %v", err)
		}
	})

	t.Run("HasTheServices", func(t *testing.T) {
		want := map[string]string{
			"etcd1": "etcd", "etcd2": "etcd", "etcd3": "etcd",
			"postgres": "postgres", "mysql": "mysql", "redis": "redis", "mongo": "mongo",
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
			h := s.HealthCheck
			if h == nil || len(h.Test) < 2 || h.Test[0] != "CMD" {
				t.Fatalf("service %s: health check %+v is no command", name, h)
			}
			if h.Interval == nil || h.Timeout == nil || h.Retries == nil {
				t.Errorf("service %s: health check without interval, timeout and retries: %+v", name, h)
			}
		}
		if test := strings.Join(file.Services["mongo"].HealthCheck.Test, " "); !strings.Contains(test, "rs.initiate") {
			t.Error("nothing initiates the replica set of mongo")
		}
	})

	t.Run("FormsOneEtcdCluster", func(t *testing.T) {
		var members []string
		for name, s := range file.Services {
			if !strings.HasPrefix(name, "etcd") {
				continue
			}
			env := s.Environment.ToMapping()
			if env["ETCD_NAME"] != name {
				t.Errorf("%s calls itself %q", name, env["ETCD_NAME"])
			}
			members = append(members, name+"="+env["ETCD_INITIAL_ADVERTISE_PEER_URLS"])
		}
		slices.Sort(members)
		for name, s := range file.Services {
			if cluster, ok := s.Environment.ToMapping()["ETCD_INITIAL_CLUSTER"]; ok && cluster != strings.Join(members, ",") {
				t.Errorf("%s starts with cluster %q, the members are %q", name, cluster, members)
			}
		}
	})

	t.Run("PublishesWhatTheMakefileNames", func(t *testing.T) { publishesWhatTheMakefileNames(t, file) })
}

func publishesWhatTheMakefileNames(t *testing.T, file *types.Project) {
	t.Helper()
	published := map[string]string{} // address on this machine -> service
	for name, s := range file.Services {
		for _, p := range s.Ports {
			host, inside := net.JoinHostPort(p.HostIP, p.Published), strconv.FormatUint(uint64(p.Target), 10)
			if p.HostIP != "127.0.0.1" {
				t.Errorf("service %s publishes %+v, want 127.0.0.1:port:port", name, p)
			}
			if other, taken := published[host]; taken {
				t.Errorf("%s and %s both publish %s", name, other, host)
			}
			published[host] = name
			// A client is sent on to the address that these two advertise.
			advertised := strings.TrimPrefix(s.Environment.ToMapping()["ETCD_ADVERTISE_CLIENT_URLS"], "http://")
			if advertised != "" && (advertised != host || p.Published != inside) {
				t.Errorf("service %s advertises %s and publishes %+v", name, advertised, p)
			}
			if name == "mongo" && (p.Published != inside || !slices.Contains(s.Command, inside)) {
				t.Errorf("mongo publishes %+v and runs %q: the port must be the same on both sides", p, s.Command)
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
}

// makefileAddresses returns the host:port pairs that `make integration` gives
// to the tests, each with the variable that names it.
func makefileAddresses(t *testing.T) map[string]string {
	t.Helper()
	env := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\t([A-Z_]+)=('?)(.*?)('?)(?: \\)?$`).FindAllSubmatch(checkout.Read(t, "Makefile"), -1) {
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
	addresses[env["REDIS_ADDR"]] = "REDIS_ADDR"
	if env["REQUIRE_BACKENDS"] != "1" {
		t.Error("make integration does not set REQUIRE_BACKENDS=1: a server that is missing would be skipped")
	}
	return addresses
}
