// Package conventions_test checks what this repository promises of itself: which package
// imports which, that pages, comments and errors are written as the others are, that code
// in pages compiles, and that a user's build gets no test server. It needs no server.
package conventions_test
