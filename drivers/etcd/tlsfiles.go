package etcd

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"

	"github.com/holdfast-go/holdfast/drivers/config"
)

// tlsConfig reads the files. It gives nil for http endpoints.
func (c settings) tlsConfig(eps []config.Endpoint) (*tls.Config, error) {
	if !eps[0].TLS {
		return nil, nil //nolint:nilnil // clientv3 takes nil as no TLS
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	p := &config.Error{}
	var causes []error
	if c.CA != "" {
		pool, err := loadAuthorities(c.CA)
		if err != nil {
			p.Problems = append(p.Problems, &config.FieldError{Field: "etcd.ca", Problem: err.Error()})
			causes = append(causes, err)
		}
		conf.RootCAs = pool
	}
	if c.Cert != "" {
		cert, field, err := loadKeyPair(c.Cert, c.Key)
		if err != nil {
			p.Problems = append(p.Problems, &config.FieldError{Field: field, Problem: err.Error()})
			causes = append(causes, err)
		}
		conf.Certificates = []tls.Certificate{cert}
	}
	if len(p.Problems) > 0 {
		return nil, &filesError{mistakes: p, causes: causes}
	}
	return conf, nil
}

// filesError adds the causes, so that fs.ErrNotExist and the like match.
type filesError struct {
	mistakes error
	causes   []error
}

func (e *filesError) Error() string   { return e.mistakes.Error() }
func (e *filesError) Unwrap() []error { return append([]error{e.mistakes}, e.causes...) }

// loadAuthorities is stricter than x509.CertPool, which skips everything that it
// does not understand and ends as an empty pool that trusts nobody.
func loadAuthorities(path string) (*x509.CertPool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	n, other := 0, false
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			other = true
			continue
		}
		n++
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d in %s is damaged: %w", n, path, err)
		}
		pool.AddCert(cert)
	}
	switch {
	case n > 0:
		return pool, nil
	case other:
		return nil, fmt.Errorf("%s holds no certificate, only other PEM blocks: is it a key?", path)
	default:
		return nil, fmt.Errorf("%s holds no certificate in PEM form", path)
	}
}

func loadKeyPair(certPath, keyPath string) (cert tls.Certificate, field string, err error) {
	certPEM, err := os.ReadFile(certPath)
	if err != nil {
		return cert, "etcd.cert", err
	}
	keyPEM, err := os.ReadFile(keyPath)
	if err != nil {
		return cert, "etcd.key", err
	}
	if block, _ := pem.Decode(keyPEM); block != nil && (block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "") {
		return cert, "etcd.key", fmt.Errorf("%s is encrypted, and there is no way to give a passphrase: store it decrypted", keyPath)
	}
	cert, err = tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		// The cause speaks of PEM blocks and key types, never of their content.
		return cert, "etcd.cert", fmt.Errorf("%s and %s are no pair of certificate and key: %w", certPath, keyPath, err)
	}
	return cert, "", nil
}
