package mongorepo

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
)

// UUIDs says how UUIDs are stored, in Java's names of the representations. Another
// one than that of the stored documents is an error when they are read.
type UUIDs int

const (
	// UUIDsAsArrays is what the codec does with a Go array: binary data of the
	// subtype 0. It is the default.
	UUIDsAsArrays UUIDs = iota
	// UUIDsStandard is the subtype 4, as uuidRepresentation STANDARD has it.
	UUIDsStandard
	// UUIDsJavaLegacy is the subtype 3 with the two halves of the bytes reversed, as
	// JAVA_LEGACY has it, which is the default of older Spring Data.
	UUIDsJavaLegacy
)

// subtypes of binary data.
const (
	subtypeGeneric  byte = 0
	subtypeOldUUID  byte = 3
	subtypeUUID     byte = 4
	uuidHalf, uuids      = 8, 16
)

func (u UUIDs) subtype() byte {
	switch u {
	case UUIDsStandard:
		return subtypeUUID
	case UUIDsJavaLegacy:
		return subtypeOldUUID
	default:
		return subtypeGeneric
	}
}

// turned are the bytes of a UUID as they are stored, or those of a stored one.
func (u UUIDs) turned(b []byte) []byte {
	b = slices.Clone(b)
	if u == UUIDsJavaLegacy {
		slices.Reverse(b[:uuidHalf])
		slices.Reverse(b[uuidHalf:])
	}
	return b
}

// isUUID knows a UUID by its shape: 16 bytes that read text.
func isUUID(t reflect.Type) bool {
	return t.Kind() == reflect.Array && t.Len() == uuids && t.Elem().Kind() == reflect.Uint8 &&
		reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// register makes the codec store UUIDs in the representation.
func (u UUIDs) register(registry *bson.Registry) {
	encode, _ := registry.LookupEncoder(reflect.TypeFor[[uuids]byte]())
	decode, _ := registry.LookupDecoder(reflect.TypeFor[[uuids]byte]())
	registry.RegisterKindEncoder(reflect.Array, bson.ValueEncoderFunc(func(ec bson.EncodeContext, vw bson.ValueWriter, v reflect.Value) error {
		if !isUUID(v.Type()) {
			return encode.EncodeValue(ec, vw, v)
		}
		b := make([]byte, uuids)
		reflect.Copy(reflect.ValueOf(b), v)
		return vw.WriteBinaryWithSubtype(u.turned(b), u.subtype())
	}))
	registry.RegisterKindDecoder(reflect.Array, bson.ValueDecoderFunc(func(dc bson.DecodeContext, vr bson.ValueReader, v reflect.Value) error {
		if !isUUID(v.Type()) || vr.Type() != bson.TypeBinary {
			return decode.DecodeValue(dc, vr, v)
		}
		b, subtype, err := vr.ReadBinary()
		switch {
		case err != nil:
			return err
		case subtype != u.subtype() || len(b) != uuids:
			return fmt.Errorf("%w: a UUID of %d bytes and subtype %d, not %d: see Options.UUIDs", repo.ErrInvalid, len(b), subtype, u.subtype())
		}
		reflect.Copy(v, reflect.ValueOf(u.turned(b)))
		return nil
	}))
}
