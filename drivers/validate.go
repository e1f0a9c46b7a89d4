package drivers

import (
	"time"
)

// Validate reports every mistake in the sections that are not empty as one
// [ConfigError]. It does no I/O: whether the files exist and the servers answer
// shows on opening. [Load] and the Open functions call it.
func (c Config) Validate() error {
	var p problems
	if !c.Etcd.empty() {
		c.Etcd.validate(&p)
	}
	if !c.SQL.empty() {
		c.SQL.validate(&p)
	}
	if !c.Mongo.empty() {
		c.Mongo.validate(&p)
	}
	return p.err()
}

func (c SQLConfig) empty() bool {
	c.Logger = nil
	return c == SQLConfig{}
}

func (c MongoConfig) empty() bool { return c == MongoConfig{} }

func (c SQLConfig) validate(p *problems) sqlTarget {
	t, bad := c.resolve()
	if bad != nil {
		p.list = append(p.list, bad)
	}
	if c.MaxOpenConns < 0 {
		p.add("sql.maxOpenConns", "is negative")
	}
	if c.MaxIdleConns < 0 {
		p.add("sql.maxIdleConns", "is negative")
	}
	notNegative(p, "sql.connMaxLifetime", c.ConnMaxLifetime)
	notNegative(p, "sql.connMaxIdleTime", c.ConnMaxIdleTime)
	notNegative(p, "sql.dialTimeout", c.DialTimeout)
	return t
}

func (c MongoConfig) validate(p *problems) mongoTarget {
	t, bad := c.resolve()
	if bad != nil {
		p.list = append(p.list, bad)
	}
	notNegative(p, "mongo.dialTimeout", c.DialTimeout)
	return t
}

func notNegative(p *problems, field string, d time.Duration) {
	if d < 0 {
		p.add(field, "is negative")
	}
}

// invalid turns one problem into the error of an Open function.
func invalid(field, problem string) error {
	return &ConfigError{Problems: []*FieldError{{Field: field, Problem: problem}}}
}
