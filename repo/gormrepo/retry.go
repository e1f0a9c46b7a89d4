package gormrepo

import (
	"context"
	"errors"
	"reflect"
)

// attempts bounds how often a transaction is run again because the database
// asked for it.
const attempts = 4

// repeat runs a transaction of the repository's own, again when the database
// gave it up for another one. fn gets a fresh call each time.
func (r *Repository[T]) repeat(ctx context.Context, run func(c *call) error) error {
	for n := 1; ; n++ {
		c := &call{}
		err := run(c)
		if err == nil || n == attempts || ctx.Err() != nil {
			return err
		}
		again := isDeadlock(err) || c.raced && n == 1 || errors.As(err, new(*resendError))
		if !again {
			return err
		}
	}
}

// isDeadlock tells whether the database rolled the transaction back to let
// another one go on.
func isDeadlock(err error) bool {
	if state := sqlState(err); state != "" {
		return state == "40001" || state == "40P01"
	}
	return mysqlNumber(err) == 1213
}

// mysqlNumber is the number that MySQL gives its errors, or zero.
func mysqlNumber(err error) (number uint64) {
	mysqlError(err, func(v reflect.Value) bool {
		if f := v.FieldByName("Number"); f.IsValid() && f.CanUint() {
			number = f.Uint()
		}
		return number != 0
	})
	return number
}

// mysqlError calls holds with what the driver of MySQL, which is not imported,
// says of an error.
func mysqlError(err error, holds func(reflect.Value) bool) {
	anyInChain(err, func(err error) bool {
		v := reflect.Indirect(reflect.ValueOf(err))
		return v.Kind() == reflect.Struct && v.Type().Name() == "MySQLError" && holds(v)
	})
}
