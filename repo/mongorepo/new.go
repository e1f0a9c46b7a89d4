package mongorepo

import (
	"fmt"
	"reflect"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/fence"
)

type checked struct{ ID string }

var (
	_ repo.Store[checked]           = (*Repository[checked])(nil)
	_ driver.DocumentSaver[checked] = (*Repository[checked])(nil)
	_ driver.Reader[checked]        = (*Repository[checked])(nil)
	_ driver.TxReporter             = (*Repository[checked])(nil)
	_ driver.Fencer                 = (*Repository[checked])(nil)
)

// New makes a repository on the collection. It does no I/O. It returns
// repo.ErrInvalid when coll is nil, when T is no struct, has no key or is
// marked wrongly, when a field with a duty is not stored, and when
// Options.BSON or Options.Registry are others than those of the collection, or
// Options.ShardKey names a field that T does not have. ShardKey together with
// Tombstones is repo.ErrUnsupported.
func New[T any](coll *mongo.Collection, opts *Options) (*Repository[T], error) {
	r, err := newRepository[T](coll, opts)
	if err != nil {
		return nil, fmt.Errorf("mongorepo: new: %w", err)
	}
	return r, nil
}

func newRepository[T any](coll *mongo.Collection, opts *Options) (*Repository[T], error) {
	if coll == nil {
		return nil, fmt.Errorf("%w: nil collection", repo.ErrInvalid)
	}
	ent, err := entity.Parse(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	r := &Repository[T]{
		coll: coll, loose: command.Collection{Coll: coll}, firm: fence.Firm(coll), fresh: fence.Fresh(coll),
		fence: fence.New(coll), ent: ent, tx: &support{},
	}
	if opts != nil {
		r.opts = *opts
	}
	if r.opts.Now == nil {
		r.opts.Now = time.Now
	}
	if err := r.opts.takeOver(coll); err != nil {
		return nil, err
	}
	if r.opts.UUIDs < UUIDsAsArrays || r.opts.UUIDs > UUIDsJavaLegacy || r.opts.UUIDs != UUIDsAsArrays && r.opts.Registry != nil {
		return nil, fmt.Errorf("%w: Options.UUIDs %d, or together with a registry that has the codec already", repo.ErrInvalid, r.opts.UUIDs)
	}
	if r.opts.BSON != nil && r.opts.BSON.ObjectIDAsHexString {
		return nil, fmt.Errorf("%w: with ObjectIDAsHexString a save would turn ObjectIDs into text: use Options.HexIDs", repo.ErrInvalid)
	}
	if r.opts.Tombstones && len(r.opts.ShardKey) > 0 {
		return nil, fmt.Errorf("%w: a tombstone has no shard key", repo.ErrUnsupported)
	}
	r.codec = newCodec(r.opts, ent)
	if r.layout, err = newLayout(ent, r.codec.opts.UseJSONStructTags); err != nil {
		return nil, err
	}
	if err := r.layout.readShardKey(r.opts.ShardKey); err != nil {
		return nil, err
	}
	return r, r.learnDeleted()
}

// learnDeleted finds out how the deletion mark is stored, which with a registry
// of the user is not for us to say.
func (r *Repository[T]) learnDeleted() error {
	if r.ent.Deleted == nil {
		return nil
	}
	v, err := r.codec.value(reflect.Zero(r.ent.Deleted.Type).Interface())
	if err != nil {
		return err
	}
	if v.Type == bson.TypeNull {
		return nil
	}
	doc, ok := v.DocumentOK()
	if _, err := doc.LookupErr("valid"); !ok || err != nil {
		return fmt.Errorf("%w: the registry stores the deletion mark as a %s, want null or a document with the field valid", repo.ErrInvalid, v.Type)
	}
	r.deletedDoc = true
	return nil
}
