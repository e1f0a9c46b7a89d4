package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// Endpoint is one address of etcd, checked.
type Endpoint struct {
	URL  string // scheme://host:port
	Addr string // host:port
	Host string // without the port
	TLS  bool   // whether it is https
}

// Resolve checks the configuration without any I/O and gives the endpoints. The
// error matches [ErrInvalid] and holds every mistake.
func (c EtcdConfig) Resolve() ([]Endpoint, error) {
	var p problems
	eps := c.validate(&p)
	return eps, p.err()
}

// IsZero says whether nothing is configured.
func (c EtcdConfig) IsZero() bool {
	return len(c.Endpoints) == 0 && c.CA == "" && c.Cert == "" && c.Key == "" && c.ServerName == "" &&
		c.Username == "" && c.Password == "" && c.DialTimeout == 0 && c.KeepAliveTime == 0 &&
		c.KeepAliveTimeout == 0 && c.Proxy == ""
}

// leastDialTimeout is what a TLS handshake over a distance takes. A limit below
// it is a number whose unit was mistaken.
const leastDialTimeout = 100 * time.Millisecond

func (c EtcdConfig) validate(p *problems) []Endpoint {
	eps := c.validateEndpoints(p)
	for _, f := range []struct{ name, path string }{{"etcd.ca", c.CA}, {"etcd.cert", c.Cert}, {"etcd.key", c.Key}} {
		if strings.ContainsFunc(f.path, unicode.IsControl) {
			p.add(f.name, "holds a control character: in double quotes a backslash begins an escape, so put the path in single quotes")
		}
	}
	switch {
	case c.Cert != "" && c.Key == "":
		p.add("etcd.key", "is not set, but etcd.cert is")
	case c.Cert == "" && c.Key != "":
		p.add("etcd.cert", "is not set, but etcd.key is")
	}
	switch {
	case c.Username != "" && c.Password == "":
		p.add("etcd.password", "is not set, but etcd.username is")
	case c.Username == "" && c.Password != "":
		p.add("etcd.username", "is not set, but etcd.password is")
	}
	notNegative(p, "etcd.dialTimeout", c.DialTimeout)
	if c.DialTimeout > 0 && c.DialTimeout < leastDialTimeout {
		p.add("etcd.dialTimeout", "is below %v, too short to connect", leastDialTimeout)
	}
	for _, f := range []struct {
		name string
		d    time.Duration
	}{{"etcd.keepAliveTime", c.KeepAliveTime}, {"etcd.keepAliveTimeout", c.KeepAliveTimeout}} {
		if f.d != 0 && f.d < time.Second {
			p.add(f.name, "is below a second")
		}
	}
	if err := checkProxy(c.Proxy); err != nil {
		p.add("etcd.proxy", "%v", err)
	}
	return eps
}

func (c EtcdConfig) validateEndpoints(p *problems) []Endpoint {
	if len(c.Endpoints) == 0 {
		p.add("etcd.endpoints", "is not set")
		return nil
	}
	files := c.CA != "" || c.Cert != "" || c.Key != ""
	var eps []Endpoint
	secure, plain := 0, 0
	for i, s := range c.Endpoints {
		ep, err := parseEndpoint(s, files)
		if err != nil {
			p.add(fmt.Sprintf("etcd.endpoints[%d]", i), "%v", err)
			continue
		}
		if ep.TLS {
			secure++
		} else {
			plain++
		}
		eps = append(eps, ep)
	}
	switch {
	case secure > 0 && plain > 0:
		p.add("etcd.endpoints", "mixes http and https")
	case plain > 0 && files:
		p.add("etcd.endpoints", "is http, but a CA, certificate or key is set: use https, or leave these out")
	}
	return eps
}

// parseEndpoint never quotes what it was given: it may hold a password.
func parseEndpoint(s string, secure bool) (Endpoint, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return Endpoint{}, errors.New("is empty")
	}
	if !strings.Contains(s, "://") {
		s = map[bool]string{true: "https://", false: "http://"}[secure] + s
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return Endpoint{}, errors.New("is not a URL such as https://m1:2379")
	case u.Scheme != "http" && u.Scheme != "https":
		return Endpoint{}, errors.New("is neither http nor https")
	case u.User != nil:
		return Endpoint{}, errors.New("holds a user name: use etcd.username and etcd.password")
	case u.Hostname() == "":
		return Endpoint{}, errors.New("has no host")
	case u.Port() == "":
		return Endpoint{}, errors.New("has no port; etcd's is 2379")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return Endpoint{}, errors.New("has more than scheme, host and port")
	}
	addr := net.JoinHostPort(u.Hostname(), u.Port())
	return Endpoint{URL: u.Scheme + "://" + addr, Addr: addr, Host: u.Hostname(), TLS: u.Scheme == "https"}, nil
}

func checkProxy(proxy string) error {
	if proxy == "" || proxy == ProxyFromEnvironment {
		return nil
	}
	u, err := url.Parse(proxy)
	if err != nil || u.Host == "" {
		return fmt.Errorf("is neither %q nor a URL", ProxyFromEnvironment)
	}
	return checkProxyScheme(u)
}

func checkProxyScheme(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("names a proxy that is not an HTTP proxy; others, SOCKS among them, are not supported")
	}
	return nil
}
