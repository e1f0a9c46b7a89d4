// Package drivers opens the connections that a service with locked
// repositories needs: to etcd, to a SQL database and to MongoDB.
package drivers
