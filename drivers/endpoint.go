package drivers

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// endpoint is one address of etcd, checked.
type endpoint struct {
	url  string // scheme://host:port
	addr string // host:port
	host string
	tls  bool
}

func (c EtcdConfig) empty() bool {
	return len(c.Endpoints) == 0 && c.CA == "" && c.Cert == "" && c.Key == "" && c.ServerName == "" &&
		c.Username == "" && c.Password == "" && c.DialTimeout == 0 && c.KeepAliveTime == 0 &&
		c.KeepAliveTimeout == 0 && c.Proxy == ""
}

// leastDialTimeout is what a TLS handshake over a distance takes. A limit below
// it is a number whose unit was mistaken.
const leastDialTimeout = 100 * time.Millisecond

func (c EtcdConfig) validate(p *problems) []endpoint {
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

func (c EtcdConfig) validateEndpoints(p *problems) []endpoint {
	if len(c.Endpoints) == 0 {
		p.add("etcd.endpoints", "is not set")
		return nil
	}
	files := c.CA != "" || c.Cert != "" || c.Key != ""
	var eps []endpoint
	secure, plain := 0, 0
	for i, s := range c.Endpoints {
		ep, err := parseEndpoint(s, files)
		if err != nil {
			p.add(fmt.Sprintf("etcd.endpoints[%d]", i), "%v", err)
			continue
		}
		if ep.tls {
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
func parseEndpoint(s string, secure bool) (endpoint, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return endpoint{}, errors.New("is empty")
	}
	if !strings.Contains(s, "://") {
		s = map[bool]string{true: "https://", false: "http://"}[secure] + s
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return endpoint{}, errors.New("is not a URL such as https://m1:2379")
	case u.Scheme != "http" && u.Scheme != "https":
		return endpoint{}, errors.New("is neither http nor https")
	case u.User != nil:
		return endpoint{}, errors.New("holds a user name: use etcd.username and etcd.password")
	case u.Hostname() == "":
		return endpoint{}, errors.New("has no host")
	case u.Port() == "":
		return endpoint{}, errors.New("has no port; etcd's is 2379")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return endpoint{}, errors.New("has more than scheme, host and port")
	}
	addr := net.JoinHostPort(u.Hostname(), u.Port())
	return endpoint{url: u.Scheme + "://" + addr, addr: addr, host: u.Hostname(), tls: u.Scheme == "https"}, nil
}
