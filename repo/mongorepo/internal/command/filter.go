package command

import (
	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// And puts filters of different fields together.
func And(filters ...bson.D) bson.D { return lo.Flatten(filters) }

// SetUnset is an update. It leaves out empty operators, which older servers refuse.
func SetUnset(set, unset bson.D) bson.D {
	var u bson.D
	if len(set) > 0 {
		u = append(u, bson.E{Key: "$set", Value: set})
	}
	if len(unset) > 0 {
		u = append(u, bson.E{Key: "$unset", Value: unset})
	}
	return u
}
