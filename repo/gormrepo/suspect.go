package gormrepo

import (
	"context"
	"fmt"
	"reflect"
	"regexp"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
)

// PostgreSQL refuses a statement for one of its rows and shows in the detail of the error
// either a row, "(17, -1, some text)", or a key, "(email)=(a@b.c)".
var (
	shownKey = regexp.MustCompile(`\("?([^()"]+)"?\)=\((.*?)\)(?:\W|$)`)
	shownRow = regexp.MustCompile(`\((.*?)(?:, |\)\W*$)`)
)

// suspect is the item that an error seems to be about, or nil. It is a guess, which tells
// where to look first: the first column need not be the key, and two items may have one
// value.
func (r *store) suspect(err error, items []*item) *item {
	detail := dberr.Detail(err)
	column, text := "", ""
	if key := shownKey.FindStringSubmatch(detail); key != nil {
		column, text = key[1], key[2]
	} else if row := shownRow.FindStringSubmatch(detail); row != nil && r.plainKey {
		column, text = r.key[0].DBName, row[1]
	}
	f := r.schema.FieldsByDBName[column]
	if f == nil { // several columns have no name together
		return nil
	}
	found, _ := lo.Find(items, func(it *item) bool {
		v := reflect.ValueOf(r.value(context.Background(), it, f))
		if v.Kind() == reflect.Pointer && !v.IsNil() {
			v = v.Elem()
		}
		return v.IsValid() && fmt.Sprint(v.Interface()) == text
	})
	return found
}
