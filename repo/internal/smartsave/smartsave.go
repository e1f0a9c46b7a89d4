package smartsave

import "time"

// Mode says what SmartSave does with members that a document does not name.
type Mode int

// The modes of SmartSave.
const (
	// ModeReplace overwrites the whole entity.
	ModeReplace Mode = iota
	// ModeMerge keeps what the document does not name and clears what it
	// gives as null.
	ModeMerge
	// ModeMergeNonNull keeps both.
	ModeMergeNonNull
)

// Options are those of one call.
type Options struct {
	Mode Mode
	// MaxDocuments and MaxBytes bound the list.
	MaxDocuments, MaxBytes int
	// Chunk is how many documents are committed at a time, nil for all at once.
	Chunk *int
	// RejectUnknown is nil where no option said so.
	RejectUnknown *bool
	// Java is where clocks without a zone stand, for documents in Jackson's forms;
	// nil for those in Go's.
	Java *time.Location
	// Decoder is a func([]byte, *T) error, or nil.
	Decoder any
}
