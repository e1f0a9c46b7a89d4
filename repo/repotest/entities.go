package repotest

import (
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"time"
)

// Item is an ordinary entity: a text key, a unique column and fields of many
// kinds.
type Item struct {
	// ID is the key and SKU unique. Name, Note, Active, Stock, Grade, Price, At
	// and Due are columns of many kinds; Box, Tags and Labels are structured, and
	// JSON text in a column on SQL.
	ID     string            `gorm:"primaryKey;size:190" bson:"_id" json:"id"`
	SKU    string            `gorm:"size:190;uniqueIndex" bson:"sku" json:"sku"`
	Name   string            `gorm:"size:500" bson:"name" json:"name"`
	Note   *string           `gorm:"size:500" bson:"note" json:"note"`
	Active bool              `bson:"active" json:"active"`
	Stock  int64             `bson:"stock" json:"stock"`
	Grade  int32             `bson:"grade" json:"grade"`
	Price  float64           `bson:"price" json:"price"`
	At     time.Time         `bson:"at" json:"at"`
	Due    *time.Time        `bson:"due" json:"due"`
	Box    Box               `gorm:"serializer:json" bson:"box" json:"box"`
	Tags   []string          `gorm:"serializer:json" bson:"tags" json:"tags"`
	Labels map[string]string `gorm:"serializer:json" bson:"labels" json:"labels"`
}

// Box is a struct inside an Item.
type Box struct {
	// Width and Colour are merged one by one.
	Width  int    `bson:"width" json:"width"`
	Colour string `bson:"colour" json:"colour"`
}

// Auto has a key that the store generates: an auto-increment column on SQL,
// NewID elsewhere.
type Auto struct {
	// ID is generated, Name is text, and Slot is unique where it is set.
	ID   int64  `gorm:"primaryKey" bson:"_id" json:"id"`
	Name string `gorm:"size:190" bson:"name" json:"name"`
	Slot *int64 `gorm:"uniqueIndex" bson:"slot,omitempty" json:"slot"`
}

// Pair has a key of two fields, both of which may be zero.
type Pair struct {
	// Shelf and Place are the key, Text is what is kept under it.
	Shelf int64  `gorm:"primaryKey;autoIncrement:false" bson:"shelf" json:"shelf"`
	Place string `gorm:"primaryKey;size:190" bson:"place" json:"place"`
	Text  string `gorm:"size:190" bson:"text" json:"text"`
}

// Line has a key of two fields, of which the store numbers one.
type Line struct {
	// No is the generated part of the key, Bill the caller's, Text is what is kept
	// under it.
	No   int64  `gorm:"primaryKey;autoIncrement" bson:"no" json:"no"`
	Bill string `gorm:"primaryKey;size:190" bson:"bill" json:"bill"`
	Text string `gorm:"size:190" bson:"text" json:"text"`
}

// Assigned has an integer key that the caller assigns; zero is a key.
type Assigned struct {
	// Number is the key, Text is what is kept under it.
	Number int32  `gorm:"primaryKey;autoIncrement:false" bson:"_id" json:"number"`
	Text   string `gorm:"size:190" bson:"text" json:"text"`
}

// Pointed has an integer key behind a pointer, which the caller assigns.
type Pointed struct {
	// ID is the key, Text is what is kept under it.
	ID   *int64 `gorm:"primaryKey;autoIncrement:false" bson:"_id" json:"id"`
	Text string `gorm:"size:190" bson:"text" json:"text"`
}

// Sealed has a key of bytes that has a text, as a UUID has.
type Sealed struct {
	// ID is the key, Text is what is kept under it.
	ID   Seal   `gorm:"primaryKey;type:char(32)" bson:"_id" json:"id"`
	Text string `gorm:"size:190" bson:"text" json:"text"`
}

// Seal is the key of a Sealed: 32 hex digits.
type Seal [16]byte //nolint:recvcheck // as uuid.UUID has them

// UnmarshalText reads the digits, upper-case ones too.
func (s *Seal) UnmarshalText(text []byte) error {
	if len(text) != 2*len(s) {
		return fmt.Errorf("repotest: reading a seal: it has %d digits", len(text))
	}
	_, err := hex.Decode(s[:], text)
	return err
}

// MarshalText returns the digits in lower case.
func (s Seal) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(s[:])), nil }

// Value is the text in a SQL database.
func (s Seal) Value() (driver.Value, error) { return hex.EncodeToString(s[:]), nil }

// Scan reads the text of a SQL database.
func (s *Seal) Scan(v any) error {
	switch v := v.(type) {
	case string:
		return s.UnmarshalText([]byte(v))
	case []byte:
		return s.UnmarshalText(v)
	default:
		return fmt.Errorf("repotest: reading a seal: it is a %T", v)
	}
}

// Plain has no tags at all: the field ID is the key.
type Plain struct {
	// ID is the key by its name, Text is what is kept under it.
	ID   string
	Text string
}

// Coded has its key marked for BSON alone, and no field ID.
type Coded struct {
	// Code is the key by its BSON name, Text is what is kept under it.
	Code string `gorm:"size:190" bson:"_id" json:"code"`
	Text string `gorm:"size:190" bson:"text" json:"text"`
}

// Told says itself whether it is new.
type Told struct {
	// ID is the key, Text is what is kept under it, and Fresh is not stored.
	ID    string `gorm:"primaryKey;size:190" bson:"_id" json:"id"`
	Text  string `gorm:"size:190" bson:"text" json:"text"`
	Fresh bool   `gorm:"-" bson:"-" json:"-"`
}

// IsNew tells the repository to insert only.
func (t *Told) IsNew() bool { return t.Fresh }

// Marked has every duty, given by holdfast tags to fields whose names say
// nothing.
type Marked struct {
	// ID is the key and Name the caller's. Rev is the version, Made and Seen are
	// the times of creation and of the last save, Gone marks deleted ones.
	ID   string     `gorm:"primaryKey;size:190" bson:"_id" json:"id"`
	Name string     `gorm:"size:190" bson:"name" json:"name"`
	Rev  int64      `bson:"rev" json:"rev" holdfast:"version"`
	Made time.Time  `bson:"made" json:"made" holdfast:"created"`
	Seen time.Time  `bson:"seen" json:"seen" holdfast:"updated"`
	Gone *time.Time `bson:"gone" json:"gone" holdfast:"deleted"`
}

// Defaulted has literal defaults, and a field without one.
type Defaulted struct {
	// ID is the key. Age, On, Kind and Opt have defaults. Plain has none.
	ID    string `gorm:"primaryKey;size:190" bson:"_id" json:"id"`
	Age   int    `gorm:"default:18" bson:"age" json:"age"`
	On    bool   `gorm:"default:true" bson:"on" json:"on"`
	Kind  string `gorm:"default:abc;size:20" bson:"kind" json:"kind"`
	Opt   *bool  `gorm:"default:true" bson:"opt" json:"opt"`
	Plain int    `bson:"plain" json:"plain"`
}

// Stamped has times marked by GORM's tags, kept as Unix milliseconds, and one of
// each more.
type Stamped struct {
	// ID is the key and Name the caller's. Born and Last are the times of creation
	// and of the last save, in Unix milliseconds, and so are First and Then.
	ID   string `gorm:"primaryKey;size:190" bson:"_id" json:"id"`
	Name string `gorm:"size:190" bson:"name" json:"name"`
	Born int64  `gorm:"autoCreateTime:milli" bson:"born" json:"born"`
	Last int64  `gorm:"autoUpdateTime:milli" bson:"last" json:"last"`

	First time.Time  `gorm:"autoCreateTime" bson:"first" json:"first"`
	Then  *time.Time `bson:"then" json:"then" holdfast:"updated"`

	// Maker is who created it and Editor who saved it last.
	Maker  string  `gorm:"size:190" bson:"maker" json:"maker" holdfast:"createdby"`
	Editor *string `gorm:"size:190" bson:"editor" json:"editor" holdfast:"updatedby"`
}

// Unmarked has fields with the names of duties and no marks: they are the
// caller's. GORM goes by two of the names unless it is told not to.
type Unmarked struct {
	// ID is the key. Version, CreatedAt, UpdatedAt and DeletedAt are stored as
	// the caller sets them.
	ID        string     `gorm:"primaryKey;size:190" bson:"_id" json:"id"`
	Version   int64      `bson:"version" json:"version"`
	CreatedAt *time.Time `gorm:"autoCreateTime:false" bson:"createdAt" json:"createdAt"`
	UpdatedAt *time.Time `gorm:"autoUpdateTime:false" bson:"updatedAt" json:"updatedAt"`
	DeletedAt *time.Time `bson:"deletedAt" json:"deletedAt"`
}
