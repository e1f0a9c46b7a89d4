// Package jdbc turns a JDBC URL into the settings of the Go driver for the same
// database. A parameter is translated, left out because it only tunes the Java
// driver, or refused: the Go drivers would send it to the server as a setting.
// An error names parameters, never values.
package jdbc
