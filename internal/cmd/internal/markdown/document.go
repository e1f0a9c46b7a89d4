package markdown

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Section is the part of a document that is written by the target of make that
// it is named after.
type Section string

func (s Section) begin() string {
	return "<!-- measured: begin. Written by `make " + string(s) + "`; do not edit. -->"
}

const end = "<!-- measured: end -->"

// Marked returns text between the marks. It must end with a line feed.
func (s Section) Marked(text string) string { return s.begin() + "\n\n" + text + end }

// Document is a file with a place for a section.
type Document struct {
	Name       string // of the file
	section    Section
	head, tail string
}

// Open reads the file. One that is not there will be made, with a title; its
// folder must be there.
func (s Section) Open(name, title string) (Document, error) {
	text, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, err := os.Stat(filepath.Dir(name))
		return Document{name, s, "# " + title + "\n\n", "\n"}, err
	case err != nil:
		return Document{}, err
	}
	head, rest, found := strings.Cut(string(text), s.begin())
	_, tail, ended := strings.Cut(rest, end)
	if !found || !ended {
		return Document{}, fmt.Errorf("%s has no place for the figures: it lacks the line %q or %q", name, s.begin(), end)
	}
	return Document{name, s, head, tail}, nil
}

// Write puts text into the section.
func (d Document) Write(text string) error {
	return os.WriteFile(d.Name, []byte(d.head+d.section.Marked(text)+d.tail), 0o644) //nolint:gosec // a document
}

// WritePicture puts a picture next to the document, whose text can link to it by
// its name.
func (d Document) WritePicture(name string, svg []byte) error {
	return os.WriteFile(filepath.Join(filepath.Dir(d.Name), name), svg, 0o644) //nolint:gosec // a picture in a document
}
