package mongorepo

import (
	"bytes"
	"fmt"
	"reflect"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// codec encodes and decodes with the options that the driver would use. The
// repository does it itself because it changes documents on their way.
type codec struct {
	opts     options.BSONOptions
	registry *bson.Registry
}

// newCodec never touches the registry of the user. One of its own also matters
// because a registry remembers how it saw a struct first, with or without JSON
// tags, whatever the options of a later call say.
func newCodec(o Options, ent *entity.Entity) *codec {
	c := &codec{registry: o.Registry}
	if o.BSON != nil {
		c.opts = *o.BSON
	}
	if c.registry == nil {
		c.registry = bson.NewRegistry()
		o.UUIDs.register(c.registry)
		if ent.Deleted != nil && ent.Deleted.Type.Kind() == reflect.Struct {
			c.registry.RegisterTypeEncoder(ent.Deleted.Type, bson.ValueEncoderFunc(encodeNullTime))
			c.registry.RegisterTypeDecoder(ent.Deleted.Type, bson.ValueDecoderFunc(decodeNullTime))
		}
	}
	return c
}

// setting is one BSON option and the call that turns it on.
type setting struct {
	on  bool
	set func()
}

func apply(settings []setting) {
	for _, s := range settings {
		if s.on {
			s.set()
		}
	}
}

func (c *codec) marshal(v any) (bson.Raw, error) {
	var buf bytes.Buffer
	enc := bson.NewEncoder(bson.NewDocumentWriter(&buf))
	enc.SetRegistry(c.registry)
	apply([]setting{
		{c.opts.ErrorOnInlineDuplicates, enc.ErrorOnInlineDuplicates},
		{c.opts.IntMinSize, enc.IntMinSize},
		{c.opts.NilByteSliceAsEmpty, enc.NilByteSliceAsEmpty},
		{c.opts.NilMapAsEmpty, enc.NilMapAsEmpty},
		{c.opts.NilSliceAsEmpty, enc.NilSliceAsEmpty},
		{c.opts.OmitEmpty, enc.OmitEmpty},
		{c.opts.OmitZeroStruct, enc.OmitZeroStruct},
		{c.opts.StringifyMapKeysWithFmt, enc.StringifyMapKeysWithFmt},
		{c.opts.UseJSONStructTags, enc.UseJSONStructTags},
	})
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("%w: encoding %T: %w", repo.ErrInvalid, v, err)
	}
	return buf.Bytes(), nil
}

// value encodes a single value.
func (c *codec) value(v any) (bson.RawValue, error) {
	raw, err := c.marshal(bson.D{{Key: "v", Value: v}})
	if err != nil {
		return bson.RawValue{}, err
	}
	return raw.Lookup("v"), nil
}

func (c *codec) unmarshal(raw bson.Raw, into any) error {
	dec := bson.NewDecoder(bson.NewDocumentReader(bytes.NewReader(raw)))
	dec.SetRegistry(c.registry)
	apply([]setting{
		{c.opts.AllowTruncatingDoubles, dec.AllowTruncatingDoubles},
		{c.opts.BinaryAsSlice, dec.BinaryAsSlice},
		{c.opts.DefaultDocumentM, dec.DefaultDocumentM},
		{c.opts.DefaultDocumentMap, dec.DefaultDocumentMap},
		{c.opts.ObjectIDAsHexString, dec.ObjectIDAsHexString},
		{c.opts.UseJSONStructTags, dec.UseJSONStructTags},
		{c.opts.UseLocalTimeZone, dec.UseLocalTimeZone},
		{c.opts.ZeroMaps, dec.ZeroMaps},
		{c.opts.ZeroStructs, dec.ZeroStructs},
	})
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("decoding a stored %T: %w", into, err)
	}
	return nil
}

// unmarshalValue decodes v into the variable that target, a settable Value, is.
func (c *codec) unmarshalValue(v bson.RawValue, target reflect.Value) error {
	// The options hang on the decoder, and that takes whole documents: so the
	// value goes into a struct with one field of the target's type.
	box := reflect.New(reflect.StructOf([]reflect.StructField{
		{Name: "V", Type: target.Type(), Tag: `bson:"v"`},
	}))
	raw, err := bson.Marshal(bson.D{{Key: "v", Value: v}})
	if err != nil {
		return err
	}
	if err := c.unmarshal(raw, box.Interface()); err != nil {
		return err
	}
	target.Set(box.Elem().Field(0))
	return nil
}

// encodeNullTime and decodeNullTime are for gorm.DeletedAt, a struct with the
// fields Time and Valid, known by its shape because GORM is not imported here.
func encodeNullTime(ec bson.EncodeContext, vw bson.ValueWriter, v reflect.Value) error {
	if !v.FieldByName("Valid").Bool() {
		return vw.WriteNull()
	}
	t := v.FieldByName("Time")
	enc, err := ec.LookupEncoder(t.Type())
	if err != nil {
		return err
	}
	return enc.EncodeValue(ec, vw, t)
}

func decodeNullTime(dc bson.DecodeContext, vr bson.ValueReader, v reflect.Value) error {
	v.SetZero()
	if vr.Type() == bson.TypeNull {
		return vr.ReadNull()
	}
	t := v.FieldByName("Time")
	dec, err := dc.LookupDecoder(t.Type())
	if err != nil {
		return err
	}
	if err := dec.DecodeValue(dc, vr, t); err != nil {
		return err
	}
	v.FieldByName("Valid").SetBool(true)
	return nil
}
