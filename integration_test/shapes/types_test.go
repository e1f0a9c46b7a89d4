package shapes_test

import (
	"slices"
	"time"
)

// The shapes of entities: keys, duties and fields of many kinds, put together by type
// parameters. Every store must keep each of them as a map in memory would.

type shapePlain[K, A, B any] struct {
	ID K `gorm:"primaryKey;autoIncrement:false;size:190" bson:"_id"`
	A  A
	B  B
}

type shapeVersioned[K, A, B any] struct {
	ID  K `gorm:"primaryKey;autoIncrement:false;size:190" bson:"_id"`
	A   A
	B   B
	Rev int64 `holdfast:"version"`
}

type shapeStamped[K, A, B any] struct {
	ID   K `gorm:"primaryKey;autoIncrement:false;size:190" bson:"_id"`
	A    A
	B    B
	Made time.Time  `holdfast:"created"`
	Seen *time.Time `holdfast:"updated"`
	Last int64      `gorm:"autoUpdateTime:milli"`
}

type shapeDutiful[K, A, B any] struct {
	ID   K `gorm:"primaryKey;autoIncrement:false;size:190" bson:"_id"`
	A    A `gorm:"column:other_name"`
	B    B
	Rev  uint32     `holdfast:"version"`
	Made time.Time  `holdfast:"created"`
	Seen time.Time  `holdfast:"updated"`
	Gone *time.Time `holdfast:"deleted"`
}

type shapePair[K, A, B any] struct {
	First  K      `gorm:"primaryKey;autoIncrement:false;size:90"`
	Second string `gorm:"primaryKey;size:90"`
	A      A
	B      B
}

type shapeParts[A, B any] struct {
	A A
	B B
}

type shapeEmbedding[K, A, B any] struct {
	ID   K                `gorm:"primaryKey;autoIncrement:false;size:190" bson:"_id"`
	Home shapeParts[A, B] `gorm:"embedded;embeddedPrefix:home_"`
	Work shapeParts[B, A] `gorm:"embedded;embeddedPrefix:work_"`
	Rev  int64            `holdfast:"version"`
}

type shapeJSON[K, A, B any] struct {
	ID   K                  `gorm:"primaryKey;autoIncrement:false;size:190" bson:"_id"`
	Box  shapeParts[A, B]   `gorm:"serializer:json"`
	List []shapeParts[A, B] `gorm:"serializer:json"`
	B    B
}

type shapeDefaulted[K, A, B any] struct {
	ID  K `gorm:"primaryKey;autoIncrement:false;size:190" bson:"_id"`
	A   A
	B   B       `gorm:"default:null"`
	Age int     `gorm:"default:18"`
	On  bool    `gorm:"default:true"`
	Tip string  `gorm:"default:abc;size:20"`
	Opt *string `gorm:"default:def;size:20"`
}

// shapes run a test for every type. A repository is compiled for each type, so that
// most of them are built with the tag allshapes alone.
func shapes() []shape {
	return slices.Concat(
		ofShape[shapePlain[string, bool, int8]](),
		ofShape[shapePlain[string, int16, *int16]](),
		ofShape[shapeVersioned[string, bool, *bool]](),
		ofShape[shapeVersioned[string, string, *string]](),
		ofShape[shapeStamped[string, bool, int64]](),
		ofShape[shapeStamped[string, *string, []byte]](),
		ofShape[shapeDutiful[string, bool, *bool]](),
		ofShape[shapeDutiful[string, string, *string]](),
		ofShape[shapePair[string, bool, *bool]](),
		ofShape[shapePair[int64, string, *string]](),
		ofShape[shapeEmbedding[string, bool, *string]](),
		ofShape[shapeEmbedding[int64, int64, time.Time]](),
		ofShape[shapeJSON[string, bool, *string]](),
		ofShape[shapeJSON[int64, int64, time.Time]](),
		ofShape[shapeDefaulted[string, bool, *string]](),
		ofShape[shapeDefaulted[int64, string, *bool]](),
		moreShapes(),
	)
}
