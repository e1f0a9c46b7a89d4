//go:build allshapes

package shapes_test

import (
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/repo/repotest"
)

type (
	shapeText   string
	shapeNumber int16
)

func moreShapes() []shape {
	return slices.Concat(
		ofShape[shapePlain[string, int32, uint8]](),
		ofShape[shapePlain[int64, int64, *int64]](),
		ofShape[shapePlain[int64, float64, *float64]](),
		ofShape[shapePlain[int64, string, *string]](),
		ofShape[shapePlain[uint32, []byte, uint16]](),
		ofShape[shapePlain[uint32, time.Time, *time.Time]](),
		ofShape[shapePlain[*int64, shapeText, shapeNumber]](),
		ofShape[shapePlain[*int64, *shapeText, *bool]](),
		ofShape[shapePlain[repotest.Seal, repotest.Seal, uint32]](),
		ofShape[shapePlain[shapeText, float32, int]](),
		ofShape[shapePlain[shapeNumber, string, string]](),
		ofShape[shapePlain[int8, *uint8, *int8]](),
		ofShape[shapeVersioned[int64, int64, *int64]](),
		ofShape[shapeVersioned[int64, time.Time, *time.Time]](),
		ofShape[shapeVersioned[*int64, []byte, int32]](),
		ofShape[shapeVersioned[repotest.Seal, float64, *float64]](),
		ofShape[shapeVersioned[uint32, shapeText, *shapeNumber]](),
		ofShape[shapeVersioned[shapeText, uint8, uint16]](),
		ofShape[shapeVersioned[int16, *repotest.Seal, string]](),
		ofShape[shapeStamped[int64, time.Time, *time.Time]](),
		ofShape[shapeStamped[int64, float64, shapeText]](),
		ofShape[shapeStamped[*int64, int8, *int8]](),
		ofShape[shapeStamped[repotest.Seal, string, *bool]](),
		ofShape[shapeStamped[uint32, *float64, uint8]](),
		ofShape[shapeStamped[shapeText, int32, *int32]](),
		ofShape[shapeDutiful[int64, int64, []byte]](),
		ofShape[shapeDutiful[int64, time.Time, *time.Time]](),
		ofShape[shapeDutiful[*int64, float64, *float64]](),
		ofShape[shapeDutiful[repotest.Seal, shapeNumber, *shapeText]](),
		ofShape[shapeDutiful[uint32, uint8, int16]](),
		ofShape[shapeDutiful[shapeNumber, *int32, repotest.Seal]](),
		ofShape[shapePair[int64, time.Time, []byte]](),
		ofShape[shapePair[uint32, int64, *float64]](),
		ofShape[shapePair[shapeText, shapeNumber, *time.Time]](),
		ofShape[shapePair[repotest.Seal, float64, uint8]](),
		ofShape[shapeEmbedding[*int64, *bool, []byte]](),
		ofShape[shapeEmbedding[repotest.Seal, string, *float64]](),
		ofShape[shapeEmbedding[uint32, shapeText, *time.Time]](),
		ofShape[shapeEmbedding[shapeText, uint8, *int16]](),
		ofShape[shapeJSON[*int64, *bool, float64]](),
		ofShape[shapeJSON[repotest.Seal, string, *float64]](),
		ofShape[shapeJSON[uint32, shapeText, int8]](),
		ofShape[shapeDefaulted[*int64, time.Time, *time.Time]](),
		ofShape[shapeDefaulted[repotest.Seal, []byte, *int64]](),
		ofShape[shapeDefaulted[uint32, float64, *float64]](),
		ofShape[shapeDefaulted[shapeText, int16, *shapeText]](),
	)
}
