// Package smartsave holds what the options of SmartSave say, for package repo that
// offers them and package driver that reads them.
package smartsave
