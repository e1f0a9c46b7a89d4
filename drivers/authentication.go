package drivers

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// openError says which of the two errors the failure to open a connection
// matches.
func openError(err error) error {
	if isAuthentication(err) {
		return ErrAuthentication
	}
	return ErrUnavailable
}

// isAuthentication reports whether a server was reached and one side did not
// accept the other: a login or a certificate.
func isAuthentication(err error) bool {
	var (
		proxied   *proxyError
		untrusted *tls.CertificateVerificationError
		pg        *pgconn.PgError
		my        *mysql.MySQLError
		command   mongo.CommandError
	)
	switch {
	case errors.As(err, &proxied): // the server was not reached
		return false
	case errors.As(err, &untrusted), remoteAlert(err) != "":
		return true
	case errors.As(err, &pg):
		// The class of invalid authorization, or no right to connect.
		return strings.HasPrefix(pg.Code, "28") || pg.Code == "42501"
	case errors.As(err, &my):
		// No access to the database, with this password, from this host, without a password.
		return slices.Contains([]uint16{1044, 1045, 1130, 1698}, my.Number)
	case errors.As(err, &command):
		// UserNotFound, Unauthorized, AuthenticationFailed.
		return slices.Contains([]int32{11, 13, 18}, command.Code)
	}
	return slices.ContainsFunc([]error{
		rpctypes.ErrAuthFailed, rpctypes.ErrUserEmpty, rpctypes.ErrUserNotFound, rpctypes.ErrInvalidAuthToken,
	}, func(etcd error) bool { return errors.Is(err, etcd) })
}

// remoteAlert gives the text of the TLS alert that the server sent. crypto/tls
// does not export its type.
func remoteAlert(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" && op.Err != nil {
		return op.Err.Error()
	}
	return ""
}
