// Package gormrepo keeps entities in a table through GORM: on PostgreSQL, MySQL,
// MariaDB and SQLite.
//
//	orders, err := gormrepo.New[Order](db, nil) // db is a *gorm.DB
//	if err != nil {
//		return err
//	}
//	return orders.Save(ctx, &Order{Buyer: "ada"})
package gormrepo
