package drivers_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
)

func TestDriversOpenMongo(t *testing.T) {
	t.Parallel()
	cli, err := drivers.OpenMongo(check.Bounded(t, 30*time.Second), drivers.MongoConfig{URI: embedded.MongoURI(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := cli.Disconnect(ctx); err != nil {
			t.Error(err)
		}
	})
	db := cli.Database(servers.UniqueName("drivers_"))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := db.Drop(ctx); err != nil {
			t.Error(err)
		}
	})
	coll := db.Collection("things")
	if _, err := coll.InsertOne(t.Context(), bson.M{"_id": "a", "n": 1}); err != nil {
		t.Fatal(err)
	}
	var got struct{ N int }
	if err := coll.FindOne(t.Context(), bson.M{"_id": "a"}).Decode(&got); err != nil || got.N != 1 {
		t.Errorf("%v %v", got, err)
	}
}

func TestDriversOpenMongo_Fails(t *testing.T) {
	t.Parallel()
	const secret = "s3cr!t~canary"
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	dead := deadAddr(t)
	for name, test := range map[string]struct {
		ctx  context.Context
		cfg  drivers.MongoConfig
		is   error
		text string
	}{
		"Empty":          {t.Context(), drivers.MongoConfig{}, drivers.ErrInvalid, "mongo.uri: is not set"},
		"Malformed":      {t.Context(), drivers.MongoConfig{URI: "mongodb://u:" + secret + "/@h/d"}, drivers.ErrInvalid, "mongo.uri"},
		"WeakWrites":     {t.Context(), drivers.MongoConfig{URI: "mongodb://h/?w=1"}, drivers.ErrInvalid, "w=majority"},
		"UnknownOption":  {t.Context(), drivers.MongoConfig{URI: "mongodb://h/?w=majority&tls=perhaps"}, drivers.ErrInvalid, "mongo.uri"},
		"NothingListens": {t.Context(), drivers.MongoConfig{URI: "mongodb://u:" + secret + "@" + dead + "/d", DialTimeout: 300 * time.Millisecond}, drivers.ErrUnavailable, dead},
		"NoAnswer":       {t.Context(), drivers.MongoConfig{URI: "mongodb://" + silentAddr(t), Username: "u", Password: secret, DialTimeout: 300 * time.Millisecond}, drivers.ErrUnavailable, "open mongo"},
		"MongoLogin":     {t.Context(), drivers.MongoConfig{URI: embedded.MongoURI(t), Username: "nobody", Password: secret}, drivers.ErrAuthentication, "open mongo"},
		"Cancelled":      {cancelled, drivers.MongoConfig{URI: "mongodb://" + dead}, context.Canceled, dead},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cli, err := drivers.OpenMongo(test.ctx, test.cfg)
			if err == nil {
				t.Error(cli.Disconnect(context.WithoutCancel(test.ctx)))
				t.Fatal("no error")
			}
			if !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), secret) {
				t.Error(err)
			}
		})
	}
}
