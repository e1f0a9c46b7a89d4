package memrepo

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
	"github.com/holdfast-go/holdfast/repo/internal/values"
)

// literal is a field with a literal default. Its zero value stands for the default
// where the entity is inserted, as in GORM's Create, and for itself where it is
// overwritten. What a document gives as zero is meant.
type literal struct {
	*entity.Field
	value reflect.Value
}

// literalsOf reads the defaults from the tags. Those that are functions are the
// database's, and so are those of types that a tag cannot tell a value of.
func literalsOf(ent *entity.Entity) ([]literal, error) {
	var list []literal
	for _, f := range ent.Fields {
		tag, ok := lo.Find(settings(f.Tag), func(s setting) bool { return s.name == "default" })
		if !ok || tag.value == "" || strings.EqualFold(tag.value, "null") || strings.Contains(tag.value, "(") || lo.Contains(ent.Key, f) {
			continue
		}
		v := reflect.New(f.Type).Elem()
		known, err := setLiteral(v, tag.value)
		if err != nil {
			return nil, fmt.Errorf("%w: default of field %s of %s: %w", repo.ErrInvalid, f.Name, ent.Type, err)
		}
		if known && !reflect.Indirect(v).IsZero() {
			list = append(list, literal{f, v})
		}
	}
	return list, nil
}

// setLiteral gives v the value that text stands for; known is false where its type has
// none.
func setLiteral(v reflect.Value, text string) (known bool, err error) {
	switch {
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return setLiteral(v.Elem(), text)
	case v.Kind() == reflect.String:
		v.SetString(strings.Trim(strings.Trim(text, "'"), `"`))
	case v.Kind() == reflect.Slice && values.IsBytes(v.Type()):
		v.SetBytes([]byte(strings.Trim(text, "'")))
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		v.SetBool(b)
		return true, err
	case v.CanInt():
		n, err := strconv.ParseInt(text, 0, v.Type().Bits())
		v.SetInt(n)
		return true, err
	case v.CanUint():
		n, err := strconv.ParseUint(text, 0, v.Type().Bits())
		v.SetUint(n)
		return true, err
	case v.CanFloat():
		x, err := strconv.ParseFloat(text, v.Type().Bits())
		v.SetFloat(x)
		return true, err
	default:
		return false, nil
	}
	return true, nil
}
