package driver_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

type javaRow struct {
	ID    int64
	At    time.Time
	Till  *time.Time
	Price float64
	Exact string
	Count *int32
	Small uint8
}

func TestJavaFormsOfTimes(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("west", -5*3600)
	clock := time.Date(2024, 2, 29, 12, 30, 0, 0, zone)
	for text, want := range map[string]time.Time{
		`1709209800000`:                   clock.UTC().Add(-5 * time.Hour),
		`1709209800123`:                   clock.UTC().Add(-5*time.Hour + 123*time.Millisecond),
		`-1`:                              time.UnixMilli(-1),
		`1709209800.123456789`:            clock.UTC().Add(-5*time.Hour + 123456789),
		`"2024-02-29 12:30:00"`:           clock,
		`"2024-02-29 12:30:00.5"`:         clock.Add(time.Second / 2),
		`"2024-02-29T12:30:00"`:           clock,
		`"2024-02-29T12:30"`:              clock,
		`"2024-02-29T12:30:00.123456789"`: clock.Add(123456789),
		`"2024-02-29T12:30:00.000+0000"`:  clock.Add(-5 * time.Hour),
		`"2024-02-29T12:30:00Z"`:          clock.Add(-5 * time.Hour),
		`"2024-02-29T12:30:00.25+02:00"`:  clock.Add(-7*time.Hour + time.Second/4),
		`"2024-02-29"`:                    time.Date(2024, 2, 29, 0, 0, 0, 0, zone),
		`[2024,2,29]`:                     time.Date(2024, 2, 29, 0, 0, 0, 0, zone),
		`[2024,2,29,12,30]`:               clock,
		`[2024,2,29,12,30,1,5]`:           clock.Add(time.Second + 5),
	} {
		for _, mode := range []repo.SmartSaveOption{repo.Replace(), repo.Merge()} {
			docs, err := driver.Decode[javaRow](repo.SmartSaveDTO{EntityList: []string{fmt.Sprintf(`{"id":1,"at":%s,"till":%[1]s}`, text)}}, mode, repo.JavaForms(zone))
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			if e := docs.Entities[0]; !e.At.Equal(want) || !e.Till.Equal(want) {
				t.Errorf("%s: got %v and %v, want %v", text, e.At, e.Till, want)
			}
		}
	}
}

func TestJavaFormsOfNumbers(t *testing.T) {
	t.Parallel()
	doc := `{"id":1E+2,"price":"12.50","exact":12.340000000000000000001,"count":5.0,"small":"2.5E1"}`
	docs, err := driver.Decode[javaRow](repo.SmartSaveDTO{EntityList: []string{doc}}, repo.JavaForms(nil))
	if err != nil {
		t.Fatal(err)
	}
	e := docs.Entities[0]
	if e.ID != 100 || e.Price != 12.5 || e.Exact != "12.340000000000000000001" || *e.Count != 5 || e.Small != 25 {
		t.Fatalf("got %+v", e)
	}
}

func TestJavaFormsRefuse(t *testing.T) {
	t.Parallel()
	for _, member := range []string{
		`"at":"29.02.2024"`, `"at":[2023,2,29]`, `"at":[2024,2]`, `"at":[2024,2,29,24,0]`, `"at":true`, `"at":{}`, `"at":1e999999999`,
		`"at":12345678901234567890123456`, `"id":1.5`, `"id":1e999999999`, `"id":"x"`, `"id":""`, `"small":256`, `"price":"NaN"`, `"price":"1,5"`, `"price":" 1"`, `"exact":true`,
	} {
		_, err := driver.Decode[javaRow](repo.SmartSaveDTO{EntityList: []string{`{` + member + `}`}}, repo.JavaForms(time.UTC))
		var bad *repo.BatchError
		if !errors.Is(err, repo.ErrInvalid) || !errors.As(err, &bad) || bad.Items[0].Pointer == "" {
			t.Errorf("%s: got %v", member, err)
		}
	}
	for _, member := range []string{`"at":1709209800000`, `"at":"2024-02-29 12:30:00"`, `"price":"12.50"`, `"exact":12`} {
		if _, err := driver.Decode[javaRow](repo.SmartSaveDTO{EntityList: []string{`{` + member + `}`}}); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%s without the option: got %v", member, err)
		}
	}
	docs, err := driver.Decode[javaRow](repo.SmartSaveDTO{EntityList: []string{`{"id":1,"at":null,"till":null,"count":null}`}}, repo.Merge(), repo.JavaForms(nil))
	if err != nil || docs.Entities[0].Till != nil {
		t.Errorf("got %v", err)
	}
}
