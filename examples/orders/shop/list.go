package shop

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/holdfast-go/holdfast/repo"
)

const (
	defaultSize = 20
	maxSize     = 100
)

// list is the endpoint of a list: GET /orders?status=eq:placed&sort=-total&size=50. The
// answer's "next" goes into "after" of the next request.
type list[T any] struct {
	store   repo.Repository[T]
	cursors *repo.Cursors
	fields  *repo.Fields[T]
}

// newList lists what clients may filter and sort by. Each needs a value in every entity.
func newList[T any](store repo.Repository[T], cursors *repo.Cursors, fields ...string) (list[T], error) {
	allowed, err := repo.FieldsOf[T](fields...)
	return list[T]{store, cursors, allowed}, err
}

func (l list[T]) get(r *http.Request) (reply, error) {
	window := repo.WindowRequest{Size: defaultSize}
	var query []repo.Option
	for name, values := range r.URL.Query() {
		for _, value := range values {
			var err error
			var option repo.Option
			switch name {
			case "after":
				window.After = value
				continue
			case "size":
				window.Size, err = size(value)
			case "sort":
				option, err = l.fields.SortBy(value)
			default:
				option, err = l.where(name, value)
			}
			if err != nil {
				return reply{}, err
			}
			if option != nil {
				query = append(query, option)
			}
		}
	}
	w, err := repo.FindWindow(r.Context(), l.store, l.cursors, window, query...)
	return reply{body: w}, err
}

func size(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxSize {
		return 0, invalid("a size is from 1 to %d", maxSize)
	}
	return n, nil
}

// where reads a filter, such as ge:100, in:placed,cancelled or null.
func (l list[T]) where(name, filter string) (repo.Option, error) {
	operator, text, _ := strings.Cut(filter, ":")
	switch operator {
	case "null", "notNull":
		return l.fields.Where(name, operator)
	case "in", "notIn", "between":
		return l.fields.Where(name, operator, strings.Split(text, ",")...)
	}
	return l.fields.Where(name, operator, text)
}
