package gormstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
)

// paper has what a save reads back.
type paper struct {
	ID      string `gorm:"size:40"`
	Name    string `gorm:"size:100"`
	Stock   int64
	Made    time.Time `holdfast:"created"`
	Seen    time.Time `holdfast:"updated"`
	Version int64     `holdfast:"version"`
}

// TestSmartSaveOfOneRowInTwoParts has two documents for one row, whose keys the database
// takes for equal and the client does not, so far apart that two statements read them.
func TestSmartSaveOfOneRowInTwoParts(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]repo.SmartSaveOption{"Merge": repo.Merge(), "Replace": repo.Replace()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := sqldb.Repository[paper](t, sqldb.MySQLFolding(t), nil)
			check.Must(t, r.Save(t.Context(), &paper{ID: "a", Name: "old", Stock: 1}))
			dto := repo.SmartSaveDTO{EntityList: []string{`{"id":"A","name":"first"}`}}
			for i := range 1500 {
				dto.EntityList = append(dto.EntityList, fmt.Sprintf(`{"id":"B%d"}`, i))
			}
			dto.EntityList = append(dto.EntityList, `{"id":"a","name":"second"}`)
			_, err := r.SmartSave(t.Context(), dto, option)
			check.WantError(t, err, repo.ErrDuplicateKey)
			found, err := r.FindByID(t.Context(), "a")
			check.Must(t, err)
			if found.Name != "old" || found.Version != 1 {
				t.Errorf("got %+v", found)
			}
		})
	}
}
