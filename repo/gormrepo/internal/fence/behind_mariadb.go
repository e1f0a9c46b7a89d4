package fence

import (
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/txconn"
)

// Left is the variable of a MariaDB session in which a statement behind claims counts the
// rows that are in its way and that it must not overwrite. One refuses all of it.
const Left = "@holdfast_left"

// behindMariaDB makes of a statement and the claims a compound one, which is a transaction
// and is refused when the condition holds after the statement.
func (f *Fence) behindMariaDB(s *Showing, leaves string) *Behind {
	before := append([]txconn.Step{{Text: "SET " + Left + " = 0"}}, f.mysqlSteps(s)...)
	begin, end := txconn.Around(f.Limit, before, []txconn.Step{txconn.Signal(leaves, rowsLeft)})
	return &Behind{expression{text: begin}, expression{text: end}}
}
