// Package testdata holds documents that examples and tests share.
package testdata

import _ "embed"

// Countries is the list of ISO 3166-1, all 249 entries with their codes and
// short English names, in the form that SmartSave takes.
//
//go:embed iso3166-1.json
var Countries []byte
