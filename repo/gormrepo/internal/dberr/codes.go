package dberr

import (
	"errors"
	"reflect"
)

// State is the SQLSTATE of PostgreSQL in an error, or empty.
func State(err error) string {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return state.SQLState()
	}
	return ""
}

// Detail is what PostgreSQL tells in addition to the text of an error, or empty.
func Detail(err error) (detail string) {
	anyInChain(err, func(err error) bool {
		v := reflect.Indirect(reflect.ValueOf(err))
		if v.Kind() != reflect.Struct || State(err) == "" {
			return false
		}
		if f := v.FieldByName("Detail"); f.IsValid() && f.Kind() == reflect.String {
			detail = f.String()
		}
		return detail != ""
	})
	return detail
}

// SQLite is the extended code of SQLite in an error, or zero.
func SQLite(err error) int {
	var code interface{ Code() int }
	if errors.As(err, &code) {
		return code.Code()
	}
	return 0
}

// MySQL is the number that MySQL gives its errors, or zero.
func MySQL(err error) (number uint64) {
	mysqlError(err, func(v reflect.Value) bool {
		if f := v.FieldByName("Number"); f.IsValid() && f.CanUint() {
			number = f.Uint()
		}
		return number != 0
	})
	return number
}

// mysqlClass is the class of the SQLSTATE that MySQL gives its errors, or empty.
func mysqlClass(err error) (class string) {
	mysqlError(err, func(v reflect.Value) bool {
		if f := v.FieldByName("SQLState"); f.IsValid() && f.Kind() == reflect.Array && f.Len() == 5 {
			class = string([]byte{byte(f.Index(0).Uint()), byte(f.Index(1).Uint())})
		}
		return class != ""
	})
	return class
}

// mysqlError calls holds with the errors of MySQL's driver.
func mysqlError(err error, holds func(reflect.Value) bool) {
	anyInChain(err, func(err error) bool {
		v := reflect.Indirect(reflect.ValueOf(err))
		return v.Kind() == reflect.Struct && v.Type().Name() == "MySQLError" && holds(v)
	})
}

func anyInChain(err error, holds func(error) bool) bool {
	if err == nil {
		return false
	}
	if holds(err) {
		return true
	}
	switch e := err.(type) { //nolint:errorlint // walks the chain by hand
	case interface{ Unwrap() error }:
		return anyInChain(e.Unwrap(), holds)
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			if anyInChain(err, holds) {
				return true
			}
		}
	}
	return false
}
