package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// paper is what is saved. The stand-in has an index for ids that are text.
type paper struct {
	ID   string `bson:"_id"`
	N    int64
	Text string
}

func (p *paper) number(id int64) { p.ID, p.Text = fmt.Sprint("paper-", id), groupText() }
func (p *paper) change()         { p.N++ }
func (p *paper) id() int64       { return 0 } // no way of saving asks for it
func (p *paper) count() int64    { return p.N }

// Places of the ways to save to MongoDB.
const (
	mongoDriver = iota
	mongoTogether
)

func mongoWayName(i int) string {
	return []string{"the driver's `BulkWrite`", groupWayName(lockedTogether)}[i]
}

// mongo measures locked saves that are put together, on the stand-in for MongoDB.
func (b *bench) mongo(ctx context.Context) error {
	return b.withLocker(ctx, "mongo", func(l *etcdlock.Locker, dir string) (err error) {
		s, err := openStandIn(ctx, dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closeStore(ctx, s)) }()
		var loads []groupLoad
		for _, callers := range []int{1, groupCallers} {
			g, err := mongoLoad(ctx, s, l, load{callers, groupRows})
			if err != nil {
				return err
			}
			loads = append(loads, g)
		}
		all := lo.Map(loads, func(g groupLoad, _ int) groupLoadFigures {
			return groupLoadFigures{load: g.load, got: make([]series, len(g.ways))}
		})
		for round := range b.rounds {
			b.say("mongo: round %d of %d", round+1, b.rounds)
			for n, g := range loads {
				if err := b.groupRound(ctx, g, mongoWayName, round, all[n].got); err != nil {
					return fmt.Errorf("%s: %w", g.title(), err)
				}
			}
		}
		b.reportMongo(s.about, all)
		return nil
	})
}

// mongoLoad gives each way documents of its own: the lock's leave in them what its fence
// needs.
func mongoLoad(ctx context.Context, s *store, l *etcdlock.Locker, of load) (groupLoad, error) {
	lists := groupLists[paper](of, 0)
	plain, err := mongorepo.New[paper](s.mongo.Collection(uniqueName("mongo")), nil)
	if err != nil {
		return groupLoad{}, err
	}
	r, err := lockedrepo.New(plain, l, &lockedrepo.Options{Key: uniqueName("mongo")})
	if err != nil {
		return groupLoad{}, err
	}
	saves := []saveFunc[paper]{
		mongoDriver:   upsertsInto(s.mongo.Collection(uniqueName("mongo"))),
		mongoTogether: r.SaveAll,
	}
	for i, save := range saves { // all documents are there then
		if err := save(ctx, lo.Flatten(lists)); err != nil {
			return groupLoad{}, fmt.Errorf("%s, %s: %w", of, mongoWayName(i), err)
		}
	}
	return groupLoad{load: of, ways: callsOf(saves, lists)}, nil
}

// upsertsInto is one command that no lock guards.
func upsertsInto(c *mongo.Collection) saveFunc[paper] {
	return func(ctx context.Context, rows []*paper) error {
		models := lo.Map(rows, func(r *paper, _ int) mongo.WriteModel {
			return mongo.NewReplaceOneModel().SetFilter(bson.D{{Key: "_id", Value: r.ID}}).SetReplacement(r).SetUpsert(true)
		})
		_, err := c.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		return err
	}
}

func (b *bench) reportMongo(about string, all []groupLoadFigures) {
	t := table{title: "Saves put together on " + standIn, how: fmt.Sprintf(
		"%s. Existing documents are saved by `SaveAll`, locked and fenced, and by one unordered `BulkWrite` of upserts without a lock. The stand-in handles one "+
			"request at a time, so that many callers wait for each other without a lock, too. Windows of %v, and figures as above. Median of %s.",
		about, b.window(groupWindow), plural(b.rounds, "round"))}
	t.head = []string{"", "µs for each save", "p99, ms", "saves, times those of the driver"}
	for i, l := range all {
		driver := l.got[mongoDriver]
		for way, s := range l.got {
			t.rows = append(t.rows, []string{l.String() + ", " + mongoWayName(way), spread(s.micros), spread(s.p99), spreadIn("x", ratios(driver.micros, s.micros))})
		}
		b.goal(goal{
			what: lockedOn(l.load, plainSaves, standIn), against: mongoWayName(mongoDriver) + " without a lock", least: []float64{0.8, 1.5}[i], unit: "x",
			got: ratios(driver.micros, l.got[mongoTogether].micros),
		})
	}
	b.table(t)
}
