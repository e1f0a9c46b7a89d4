package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/internal/cmd/internal/child"
	"github.com/holdfast-go/holdfast/internal/devserver"
)

// program is one that is installed on this machine, or not.
type program string

const (
	// pooler is PgBouncer, which gives a connection to a server for one
	// transaction at a time.
	pooler program = "pgbouncer"
	// secondMariaDB is a server of this run, with settings that cannot be changed
	// on one that is running.
	secondMariaDB program = "mariadbd"
)

// find returns where the program is.
func (p program) find() (string, error) { return find(string(p)) }

// find looks where servers are, too, which the PATH of few users has.
func find(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin"} {
		if path, found := exec.LookPath(filepath.Join(dir, name)); found == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed", name)
}

// programJob is a program that serves at an address.
type programJob struct {
	Path string
	Args []string
	Addr string
	Log  string // file
}

// serveProgram runs a program, which ends with the process.
func serveProgram(ctx context.Context, job programJob, in io.Reader, out io.Writer) error {
	log, err := os.Create(job.Log)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, job.Path, job.Args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	var why error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		why = cmd.Wait()
	}()
	defer func() {
		_ = cmd.Process.Kill() // its data is thrown away
		<-ended
	}()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", job.Addr)
		if err == nil {
			_ = conn.Close()
			return child.Serve(job.Addr, in, out)
		}
		select {
		case <-ended:
			said, _ := os.ReadFile(job.Log)
			return fmt.Errorf("%s: %w: %s", job.Path, why, said[max(0, len(said)-500):])
		case <-time.After(heartbeat):
		}
	}
}

// startProgram starts a program and returns the store that the cells use with
// it: the given one through a pooler, or one on another server.
func startProgram(ctx context.Context, dir string, p program, s store) (running *process, made store, err error) {
	if dir, err = os.MkdirTemp(dir, string(p)+"-"); err != nil {
		return nil, s, err
	}
	ports, err := devserver.FreePorts(1)
	if err != nil {
		return nil, s, err
	}
	job := programJob{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0])), Log: filepath.Join(dir, "log")}
	if job.Path, err = p.find(); err != nil {
		return nil, s, err
	}
	if p == pooler {
		made = s
		made.pooler = job.Addr
		job.Args, err = poolerArgs(dir, ports[0], s.base)
	} else {
		made = store{name: s.name, base: "root@tcp(" + job.Addr + ")/"}
		job.Args, err = mariaDBArgs(ctx, dir, ports[0])
	}
	if err != nil {
		return nil, s, err
	}
	var addr string
	running, err = awaitLine(ctx, programRole, job, &addr)
	return running, made, err
}

// poolerArgs writes down the settings of a pooler in front of a PostgreSQL.
func poolerArgs(dir string, port int, dsn string) ([]string, error) {
	settings, err := poolerSettings(port, dsn)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "pgbouncer.ini")
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		return nil, err
	}
	args := []string{file}
	if os.Geteuid() == 0 { // which it does not run as
		args = append([]string{"-u", "nobody"}, args...)
	}
	return args, nil
}

// poolerSettings lets everybody in, to every database, with the login of the DSN.
func poolerSettings(port int, dsn string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", err
	}
	host, dbPort, err := net.SplitHostPort(hostPort(u.Host, onPostgres))
	if err != nil {
		return "", err
	}
	login := "user=" + quoted(u.User.Username())
	if password, ok := u.User.Password(); ok { // an empty one is a mistake to it
		login += " password=" + quoted(password)
	}
	return fmt.Sprintf(`[databases]
* = host=%s port=%s %s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 1000
default_pool_size = 8
ignore_startup_parameters = extra_float_digits
`, host, dbPort, login, port), nil
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// mariaDBArgs makes the data of a server.
func mariaDBArgs(ctx context.Context, dir string, port int) ([]string, error) {
	install, err := find("mariadb-install-db")
	if err != nil {
		return nil, err
	}
	data := []string{"--no-defaults", "--datadir=" + filepath.Join(dir, "data")}
	if os.Geteuid() == 0 {
		data = append(data, "--user=root")
	}
	made := exec.CommandContext(ctx, install, append(data, "--auth-root-authentication-method=normal", "--skip-test-db")...)
	if said, err := made.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", install, err, said[max(0, len(said)-500):])
	}
	return append(data, "--bind-address=127.0.0.1", "--port="+strconv.Itoa(port), "--socket="+filepath.Join(dir, "socket"),
		"--pid-file="+filepath.Join(dir, "pid"), "--innodb-buffer-pool-size=32M", "--innodb-rollback-on-timeout=ON", "--innodb-lock-wait-timeout=1"), nil
}
