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
		again := isDeadlock(err) || c.raced && n == 1
		if !again {
			return err
		}
	}
}

// isDeadlock tells whether the database rolled the transaction back to let
// another one go on.
func isDeadlock(err error) bool {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return state.SQLState() == "40001" || state.SQLState() == "40P01"
	}
	return anyInChain(err, func(err error) bool {
		// MySQL's driver, which is not imported, has the number in a field.
		v := reflect.Indirect(reflect.ValueOf(err))
		if v.Kind() != reflect.Struct || v.Type().Name() != "MySQLError" {
			return false
		}
		number := v.FieldByName("Number")
		return number.IsValid() && number.CanUint() && number.Uint() == 1213
	})
}
