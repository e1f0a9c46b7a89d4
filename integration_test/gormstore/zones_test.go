package gormstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// gormClock has times in columns with a zone and without, told by the tag or not.
type gormClock struct {
	ID      int64     `gorm:"primaryKey;autoIncrement:false" json:"id"`
	At      time.Time `json:"at"`
	Told    time.Time `gorm:"type:timestamp(6)" json:"told"`
	Zoned   time.Time `gorm:"type:timestamptz" json:"zoned"`
	Day     time.Time `json:"day"`
	Opt     *time.Time
	Null    sql.NullTime
	Created time.Time      `holdfast:"created"`
	Updated time.Time      `gorm:"autoUpdateTime"`
	Deleted gorm.DeletedAt `json:"-"`
}

// clockTable is as Hibernate makes it of LocalDateTime, Instant and LocalDate.
func clockTable(t testing.TB) *gorm.DB {
	t.Helper()
	db := sqldb.Postgres(t)
	check.Must(t, db.Exec("CREATE TABLE gorm_clocks (id bigint PRIMARY KEY, at timestamp(6), told timestamp(6), zoned timestamp(6) with time zone, day date,"+
		" opt timestamp(6), \"null\" timestamp(6), created timestamp(6), updated timestamp(6), deleted timestamp(6))").Error)
	return db
}

func TestGormZones_TheInstantIsKept(t *testing.T) {
	t.Parallel()
	db := clockTable(t)
	check.Must(t, gormrepo.MigrateFence(t.Context(), db))
	shanghai := time.FixedZone("Asia/Shanghai", 8*3600)
	instant := time.Date(2026, 1, 2, 20, 4, 5, 123456000, time.UTC)
	there := instant.In(shanghai) // the next day
	day := time.Date(2026, 1, 3, 0, 0, 0, 0, shanghai)
	made := func(id int64) *gormClock {
		opt := there
		return &gormClock{ID: id, At: there, Told: there, Zoned: there, Day: day, Opt: &opt, Null: sql.NullTime{Time: there, Valid: true}}
	}
	const text = "2026-01-03T04:04:05.123456+08:00"
	for name, ctx := range map[string]context.Context{"plain": t.Context(), "fenced": driver.WithFence(t.Context(), &severalClaims{})} {
		t.Run(name, func(t *testing.T) {
			// A repository of its own for each, which knows nothing of the table yet.
			r := func() *gormrepo.Repository[gormClock] {
				r, err := gormrepo.New[gormClock](db, nil)
				check.Must(t, err)
				return r
			}
			before := time.Now().Add(-time.Minute)
			check.Must(t, r().Save(ctx, made(1)))
			check.Must(t, r().SaveAll(ctx, []*gormClock{made(1), made(2)}))
			check.Must(t, r().InTx(ctx, func(ctx context.Context) error { return r().Save(ctx, made(3)) }))
			check.Must(t, r().Save(ctx, &gormClock{ID: 4}))
			_, err := r().Update(ctx, 4, func(e *gormClock) error {
				created := e.Created
				*e = *made(4)
				e.Created = created
				return nil
			})
			check.Must(t, err)
			doc := `{"id":%d,"at":"` + text + `","told":"` + text + `","zoned":"` + text + `","opt":"` + text + `","day":"2026-01-03T00:00:00+08:00"}`
			for i, opts := range [][]repo.SmartSaveOption{nil, {repo.Merge()}} {
				_, err := r().SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{fmt.Sprintf(doc, 5+i)}}, opts...)
				check.Must(t, err)
			}
			check.Must(t, r().Save(ctx, &gormClock{ID: 7, Null: sql.NullTime{Time: there, Valid: true}}))
			_, err = r().SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{fmt.Sprintf(doc, 7)}}, repo.Merge())
			check.Must(t, err)

			found, err := r().Find(ctx, repo.F[gormClock, int64]("ID").Asc())
			check.Must(t, err)
			if len(found) != 7 {
				t.Fatalf("found %d", len(found))
			}
			for _, e := range found {
				for column, at := range map[string]time.Time{"at": e.At, "told": e.Told, "zoned": e.Zoned, "opt": *e.Opt} {
					if !at.Equal(instant) {
						t.Errorf("%d: %s is %v, want %v", e.ID, column, at, instant)
					}
				}
				if e.Null.Valid && !e.Null.Time.Equal(instant) {
					t.Errorf("%d: null is %v", e.ID, e.Null)
				}
				if e.Day.Format(time.DateOnly) != "2026-01-03" {
					t.Errorf("%d: the day is %v", e.ID, e.Day)
				}
				if e.Created.Before(before) || e.Created.After(time.Now().Add(time.Minute)) || e.Updated.Before(before) {
					t.Errorf("%d: created %v, updated %v", e.ID, e.Created, e.Updated)
				}
			}
			for name, cond := range map[string]repo.Option{
				"At": repo.F[gormClock, time.Time]("At").Eq(there), "Told": repo.F[gormClock, time.Time]("Told").Eq(there),
				"Zoned": repo.F[gormClock, time.Time]("Zoned").Ge(there), "Opt": repo.F[gormClock, *time.Time]("Opt").Eq(&there),
				"In": repo.F[gormClock, time.Time]("At").In(there, there.Add(time.Hour)), "Day": repo.F[gormClock, time.Time]("Day").Eq(day),
				"Any": repo.Or(repo.F[gormClock, time.Time]("Told").Gt(there), repo.F[gormClock, time.Time]("At").Le(there)),
			} {
				if n, err := r().Count(ctx, cond); n != 7 || err != nil {
					t.Errorf("%s: %d, %v", name, n, err)
				}
			}
			one := made(1)
			check.Must(t, r().Delete(ctx, one))
			var deleted time.Time
			check.Must(t, db.Raw("SELECT deleted FROM gorm_clocks WHERE id = 1").Scan(&deleted).Error)
			if deleted.Before(before) || deleted.After(time.Now().Add(time.Minute)) {
				t.Errorf("deleted %v", deleted)
			}
			check.Must(t, db.Exec("DELETE FROM gorm_clocks").Error)
		})
	}
}

func TestGormZones_AsGiven(t *testing.T) {
	t.Parallel()
	db := clockTable(t)
	r, err := gormrepo.New[gormClock](db, &gormrepo.Options{TimesAsGiven: true})
	check.Must(t, err)
	there := time.Date(2026, 1, 3, 4, 4, 5, 0, time.FixedZone("Asia/Shanghai", 8*3600))
	check.Must(t, r.Save(t.Context(), &gormClock{ID: 1, At: there, Told: there, Zoned: there}))
	e, err := r.FindByID(t.Context(), 1)
	check.Must(t, err)
	if clock := there.Format(time.DateTime); e.At.Format(time.DateTime) != clock || e.Told.Format(time.DateTime) != clock || !e.Zoned.Equal(there) {
		t.Errorf("got %+v", e)
	}
}
