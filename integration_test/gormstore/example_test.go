package gormstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

type Book struct {
	ID      int64  `json:"id"`
	Title   string `json:"title"`
	Copies  int    `json:"copies"`
	Version int64  `json:"version" holdfast:"version"`
}

// library opens an empty SQLite database with a table of books.
func library() (db *gorm.DB, closeAll func()) {
	dir, err := os.MkdirTemp("", "holdfast-example-")
	must(err)
	db, err = drivers.OpenSQL(context.Background(), drivers.SQLConfig{DSN: "sqlite:" + filepath.Join(dir, "books.db")})
	must(err)
	must(db.AutoMigrate(&Book{}))
	return db, func() {
		if pool, err := db.DB(); err == nil {
			_ = pool.Close()
		}
		_ = os.RemoveAll(dir)
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Save entities and find them by typed conditions.
func Example_gormFind() {
	db, closeAll := library()
	defer closeAll()
	ctx := context.Background()
	books, err := gormrepo.New[Book](db, nil)
	must(err)
	err = books.SaveAll(ctx, []*Book{{Title: "Emma", Copies: 3}, {Title: "Dracula"}, {Title: "Ulysses", Copies: 1}})
	must(err)
	copies := repo.F[Book, int]("Copies")
	found, err := books.Find(ctx, copies.Gt(0), copies.Desc())
	must(err)
	for _, b := range found {
		fmt.Println(b.ID, b.Title, b.Copies)
	}
	// Output:
	// 1 Emma 3
	// 3 Ulysses 1
}

// A version field finds out that somebody saved in between.
func Example_gormVersion() {
	db, closeAll := library()
	defer closeAll()
	ctx := context.Background()
	books, err := gormrepo.New[Book](db, nil)
	must(err)
	mine := &Book{Title: "Emma"}
	fmt.Println(books.Save(ctx, mine), mine.Version)
	yours, err := books.FindByID(ctx, mine.ID)
	must(err)
	fmt.Println(books.Save(ctx, yours), yours.Version)
	fmt.Println(errors.Is(books.Save(ctx, mine), repo.ErrStale))
	// Output:
	// <nil> 1
	// <nil> 2
	// true
}

// SmartSave takes documents as Spring services send them; Merge keeps what they
// do not name.
func Example_gormSmartSave() {
	db, closeAll := library()
	defer closeAll()
	ctx := context.Background()
	books, err := gormrepo.New[Book](db, nil)
	must(err)
	first, err := books.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"title":"Emma","copies":3}`}})
	must(err)
	fmt.Println(*first[0])
	merged, err := books.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"id":1,"copies":2}`}}, repo.Merge())
	must(err)
	fmt.Println(*merged[0])
	// Output:
	// {1 Emma 3 1}
	// {1 Emma 2 2}
}

// What is saved in a transaction is saved together or not at all.
func Example_gormTransaction() {
	db, closeAll := library()
	defer closeAll()
	ctx := context.Background()
	books, err := gormrepo.New[Book](db, nil)
	must(err)
	must(books.Save(ctx, &Book{Title: "Emma", Copies: 1}))
	err = books.InTx(ctx, func(ctx context.Context) error {
		if err := books.Save(ctx, &Book{Title: "Dracula"}); err != nil {
			return err
		}
		_, err := books.Update(ctx, 1, func(b *Book) error {
			b.Copies -= 2
			if b.Copies < 0 {
				return errors.New("not enough copies")
			}
			return nil
		})
		return err
	})
	fmt.Println(err)
	fmt.Println(books.Count(ctx))
	// Output:
	// not enough copies
	// 1 <nil>
}

// A statement of GORM's own joins the transaction.
func Example_gormStatement() {
	db, closeAll := library()
	defer closeAll()
	ctx := context.Background()
	books, err := gormrepo.New[Book](db, nil)
	must(err)
	must(books.SaveAll(ctx, []*Book{{Title: "Emma", Copies: -3}, {Title: "Dracula", Copies: 2}}))
	err = books.InTx(ctx, func(ctx context.Context) error {
		tx, _ := gormrepo.DB(ctx)
		return tx.Model(&Book{}).Where("copies < ?", 0).Update("copies", 0).Error
	})
	must(err)
	emma, err := books.FindByID(ctx, 1)
	must(err)
	fmt.Println(emma.Copies)
	// Output: 0
}
