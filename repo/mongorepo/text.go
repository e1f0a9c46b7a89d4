package mongorepo

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// literal is a pattern for the text itself. A pattern cannot have a zero byte in it.
func literal(text string) string {
	return strings.ReplaceAll(regexp.QuoteMeta(text), "\x00", `\x00`)
}

// matching holds for text that begins with, contains or ends with another. The pattern
// has no flags but the one for the case: ^ is the start of the text and \z its end.
func matching(path string, c driver.Cond, text string) bson.D {
	pattern := literal(text)
	switch c.Op {
	case driver.OpPrefix:
		pattern = "^" + pattern
	case driver.OpSuffix:
		pattern += `\z`
	}
	re := bson.Regex{Pattern: pattern}
	if c.IgnoreCase {
		re.Options = "i"
	}
	if c.Negated {
		return bson.D{{Key: path, Value: bson.D{{Key: "$not", Value: re}, {Key: "$ne", Value: nil}}}}
	}
	return test(path, "$regex", re)
}

// foldedText is a pattern for the same text in any case.
func foldedText(v any) bson.Regex {
	return bson.Regex{Pattern: "^" + literal(reflect.Indirect(reflect.ValueOf(v)).String()) + `\z`, Options: "i"}
}

// folded compares text without regard to case.
func folded(path string, c driver.Cond) (bson.D, error) {
	switch c.Op {
	case driver.OpEq:
		return test(path, "$regex", foldedText(c.Value)), nil
	case driver.OpNe:
		return bson.D{{Key: path, Value: bson.D{{Key: "$not", Value: foldedText(c.Value)}, {Key: "$ne", Value: nil}}}}, nil
	default:
		return nil, fmt.Errorf("%w: field %s %s without regard to case on MongoDB", repo.ErrUnsupported, c.Field, c.Op)
	}
}
