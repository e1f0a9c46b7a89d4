package drivers

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/drivers/internal/spring"
)

// shape is a configuration as services have it, and what Spring Boot makes of it.
type shape struct {
	name  string
	doc   string            // where the right value is documented
	files map[string]string // by path below the folder; {} in a value or variable is the folder
	path  string            // to load; empty means the first of application.yml and application.properties
	env   []string
	opts  *LoadOptions

	dsn   string // the right one; "none" when there is no datasource
	check func(Config) bool
	bad   []string // parts of the mistakes, one each; nil when it loads
}

const (
	bootFiles      = "Spring Boot reference, External Application Properties"
	bootProfiles   = "Spring Boot reference, Profile Specific Files"
	bootImport     = "Spring Boot reference, Importing Additional Data"
	bootMulti      = "Spring Boot reference, Working With Multi-Document Files"
	bootActivate   = "Spring Boot reference, Activation Properties"
	bootTree       = "Spring Boot reference, Using Configuration Trees"
	bootGroups     = "Spring Boot reference, Profile Groups"
	bootAdding     = "Spring Boot reference, Adding Active Profiles"
	bootOrder      = "Spring Boot reference, Externalized Configuration"
	bootRelaxed    = "Spring Boot reference, Relaxed Binding, Binding From Environment Variables"
	bootPlace      = "Spring Boot reference, Property Placeholders"
	bootJSON       = "Spring Boot reference, JSON Application Properties"
	bootDatasource = "Spring Boot reference, Configure a DataSource; how-to, Configure a Custom DataSource"
	bootMaven      = "Spring Boot how-to, Automatic Property Expansion Using Maven"
	bootMongo      = "Spring Boot reference, Connecting to a MongoDB Database"
)

func jdbcURL(db string) string { return "spring.datasource.url: jdbc:postgresql://h/" + db + "\n" }

func pg(db string) string { return "jdbc:postgresql://h/" + db }

func (s shape) load(t *testing.T) (Config, error) {
	t.Helper()
	dir := t.TempDir()
	fill := func(text string) string { return strings.ReplaceAll(text, "{}", filepath.ToSlash(dir)) }
	for name, text := range s.files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(fill(text)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	name := s.path
	for _, usual := range []string{"application.yml", "application.properties"} {
		if _, ok := s.files[usual]; ok && name == "" {
			name = usual
		}
	}
	path := filepath.Join(dir, filepath.FromSlash(name))
	data, err := spring.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	for _, v := range s.env {
		env = append(env, fill(v))
	}
	return newLoader(path, spring.NewEnviron(env), []*LoadOptions{s.opts}).load(data)
}

func runShapes(t *testing.T, shapes []shape) {
	t.Helper()
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			if s.doc == "" {
				t.Error("nobody says where the right value is documented")
			}
			c, err := s.load(t)
			if len(s.bad) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				if want := strings.TrimPrefix(s.dsn, "none"); c.SQL.DSN != want && (s.dsn != "" || s.check == nil) {
					t.Errorf("takes %s, want %s", c.SQL.DSN, want)
				}
				if s.check != nil && !s.check(c) {
					t.Errorf("loads %v", c)
				}
				return
			}
			var all *ConfigError
			if !errors.As(err, &all) || !errors.Is(err, ErrInvalid) {
				t.Fatalf("got %v %v, want the mistakes %q", c, err, s.bad)
			}
			for i, want := range s.bad {
				if len(all.Problems) != len(s.bad) || !strings.Contains(all.Problems[i].Error(), want) {
					t.Errorf("got\n  %v\nwant\n  %s", err, strings.Join(s.bad, "\n  "))
					break
				}
			}
		})
	}
}
