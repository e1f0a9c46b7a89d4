package config

import (
	"time"
)

// Validate reports every mistake in the sections that are not empty as one
// [Error]. It does no I/O: whether the files exist and the servers answer
// shows on opening. [Load] and the functions that open connections call it.
func (c Config) Validate() error {
	var p problems
	if !c.Etcd.IsZero() {
		c.Etcd.validate(&p)
	}
	if !c.SQL.IsZero() {
		c.SQL.validate(&p)
	}
	if !c.Mongo.IsZero() {
		c.Mongo.validate(&p)
	}
	return p.err()
}

// IsZero says whether nothing is configured.
func (c SQLConfig) IsZero() bool {
	c.Logger = nil
	return c == SQLConfig{}
}

// IsZero says whether nothing is configured.
func (c MongoConfig) IsZero() bool { return c == MongoConfig{} }

func (c SQLConfig) validate(p *problems) SQLTarget {
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

func (c MongoConfig) validate(p *problems) MongoTarget {
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
	return &Error{Problems: []*FieldError{{Field: field, Problem: problem}}}
}
