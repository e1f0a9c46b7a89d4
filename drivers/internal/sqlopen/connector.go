package sqlopen

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
)

// initConnector runs statements on each new connection.
type initConnector struct {
	driver.Connector
	stmts []string
}

// Connect implements driver.Connector.
func (c initConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	for _, stmt := range c.stmts {
		if _, err := conn.(driver.ExecerContext).ExecContext(ctx, stmt, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("set up a new connection: %w", err), conn.Close())
		}
	}
	return conn, nil
}

// WithInit wraps the connector where there is something to run.
func WithInit(c driver.Connector, stmts []string) driver.Connector {
	if len(stmts) == 0 {
		return c
	}
	return initConnector{Connector: c, stmts: stmts}
}

// DSNConnector is for a driver that has none itself.
type DSNConnector struct {
	Drv driver.Driver
	DSN string
}

// Connect implements driver.Connector.
func (c DSNConnector) Connect(context.Context) (driver.Conn, error) { return c.Drv.Open(c.DSN) }

// Driver implements driver.Connector.
func (c DSNConnector) Driver() driver.Driver { return c.Drv }
