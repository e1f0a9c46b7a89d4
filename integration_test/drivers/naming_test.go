package drivers_test

import (
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
)

// OrderItem has no tag: the strategy names its table and its columns. In Java it is
// the class OrderItem with the fields id, buyerId, unitPrice, imageUrl, createdAt.
type OrderItem struct {
	ID        int64
	BuyerID   int64
	UnitPrice string
	ImageURL  string
	CreatedAt time.Time
}

// Ensure that entities without tags find the tables that Hibernate 6 makes, with
// Spring Boot's naming and with Hibernate's own, and make none themselves.
func TestDriversNaming(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, naming, ddl, look, tables string
		open                            func(t *testing.T, naming string) *gorm.DB
	}{
		{
			"PostgresSpring", drivers.NamingSpring,
			"create table order_item (unit_price numeric(38,2), buyer_id bigint, created_at timestamp(6) with time zone, id bigint not null, image_url varchar(255), primary key (id))",
			"SELECT unit_price::text FROM order_item WHERE buyer_id = 7 AND image_url = 'u'",
			"SELECT string_agg(tablename, ',' ORDER BY tablename) FROM pg_tables WHERE schemaname = current_schema()",
			namedPostgres,
		},
		{
			"PostgresJPA", drivers.NamingJPA,
			"create table OrderItem (unitPrice numeric(38,2), buyerId bigint, createdAt timestamp(6) with time zone, id bigint not null, imageUrl varchar(255), primary key (id))",
			"SELECT unitPrice::text FROM OrderItem WHERE buyerId = 7 AND imageUrl = 'u'",
			"SELECT string_agg(tablename, ',' ORDER BY tablename) FROM pg_tables WHERE schemaname = current_schema()",
			namedPostgres,
		},
		{
			"MySQLSpring", drivers.NamingSpring,
			"create table order_item (unit_price decimal(38,2), buyer_id bigint, created_at datetime(6), id bigint not null auto_increment, image_url varchar(255), primary key (id)) engine=InnoDB",
			"SELECT unit_price FROM order_item WHERE buyer_id = 7 AND image_url = 'u'",
			"SELECT group_concat(table_name ORDER BY table_name) FROM information_schema.tables WHERE table_schema = DATABASE()",
			namedMySQL,
		},
		{
			"MySQLJPA", drivers.NamingJPA,
			"create table OrderItem (unitPrice decimal(38,2), buyerId bigint, createdAt datetime(6), id bigint not null auto_increment, imageUrl varchar(255), primary key (id)) engine=InnoDB",
			"SELECT unitPrice FROM OrderItem WHERE buyerId = 7 AND imageUrl = 'u'",
			"SELECT group_concat(table_name ORDER BY table_name) FROM information_schema.tables WHERE table_schema = DATABASE()",
			namedMySQL,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := c.open(t, c.naming)
			if err := db.Exec(c.ddl).Error; err != nil {
				t.Fatal(err)
			}
			before := query(t, db, c.tables)
			if err := db.Create(&OrderItem{ID: 1, BuyerID: 7, UnitPrice: "20.55", ImageURL: "u"}).Error; err != nil {
				t.Fatal(err)
			}
			var e OrderItem
			if err := db.Where(&OrderItem{BuyerID: 7, ImageURL: "u"}).First(&e).Error; err != nil || e.UnitPrice != "20.55" {
				t.Errorf("%+v %v", e, err)
			}
			if got := query(t, db, c.look); got != "20.55" {
				t.Errorf("Java sees %s", got)
			}
			if after := query(t, db, c.tables); after != before {
				t.Errorf("the tables were %s, and are %s", before, after)
			}
		})
	}
}

func namedPostgres(t *testing.T, naming string) *gorm.DB {
	t.Helper()
	schema := schemaOf(t, sqldb.PostgresSchema(t))
	return driversOpenSQL(t, drivers.SQLConfig{Dialect: drivers.Postgres, DSN: servers.RequireEnv(t, "POSTGRES_DSN"), Schema: schema, Naming: naming})
}

func namedMySQL(t *testing.T, naming string) *gorm.DB {
	t.Helper()
	return driversOpenSQL(t, drivers.SQLConfig{Dialect: drivers.MySQL, DSN: sqldb.MySQLDatabase(t), Naming: naming})
}
