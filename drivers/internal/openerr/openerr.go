package openerr

import (
	"crypto/tls"
	"errors"
	"net"

	"github.com/holdfast-go/holdfast/drivers/config"
)

// Kind gives the error that the failure to open a connection matches. refused
// knows the server's own errors by which it refuses a login.
func Kind(err error, refused func(error) bool) error {
	switch {
	case errors.Is(err, config.ErrInvalid):
		return config.ErrInvalid
	case Certificate(err), refused(err):
		return config.ErrAuthentication
	}
	return config.ErrUnavailable
}

// Certificate reports whether one side did not accept the other's certificate.
func Certificate(err error) bool {
	var untrusted *tls.CertificateVerificationError
	return errors.As(err, &untrusted) || Alert(err) != ""
}

// Alert gives the text of the TLS alert that the server sent. crypto/tls does not
// export its type.
func Alert(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" && op.Err != nil {
		return op.Err.Error()
	}
	return ""
}
