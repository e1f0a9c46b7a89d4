// Package drivers opens the connections that a service with locked repositories
// needs: to etcd, to a SQL database and to MongoDB. Each of the three has
// defaults under which locks fail in ways that are hard to find: a certificate
// problem that shows as a timeout, a proxy that nobody asked for, writes that
// are lost after they were acknowledged. The package sets what the locks need,
// and says at the start what is wrong, and where.
//
//	func open(ctx context.Context) error {
//		conf, err := drivers.Load("config.yaml") // or the application.yaml of a Spring service
//		if err != nil {
//			return err
//		}
//		db, err := drivers.OpenSQL(ctx, conf.SQL)
//		if err != nil {
//			return err
//		}
//		cli, err := drivers.OpenEtcd(ctx, conf.Etcd)
//		if err != nil {
//			return err
//		}
//		locker, err := etcdlock.New(cli, nil)
//		...
//	}
//
// The package opens all that a configuration can name, and links every client. A
// program that must stay small uses the packages below it, which have the same
// names: config, and etcd, postgres, mysql, sqlite or mongodb.
//
// # Configuration
//
// [Load] reads two formats and tells them apart by the content. The native format
// is YAML with the sections etcd, sql and mongo, with the fields of [EtcdConfig],
// [SQLConfig] and [MongoConfig] in lower camel case; an unknown field is a mistake.
// The configuration of a Spring Boot service, application.yaml or .properties,
// gives the properties of the Java starter (endpoint, cert, keyCert and keyFile
// below any prefix that ends in etcd, where cert is the authority and keyCert the
// client's certificate), a datasource with a JDBC URL, and MongoDB. Of it Load
// reads what Spring Boot would: files of profiles, config/, imports, several
// documents, the environment, placeholders; a source that it cannot read is a
// mistake. docs/configuration.md is the reference of the first, docs/spring.md of
// the second, docs/jdbc.md of JDBC URLs.
//
// # Environment
//
// These variables override the file, whichever format it has. An empty one
// counts as not set.
//
//	HOLDFAST_ETCD_ENDPOINTS             with commas between them
//	HOLDFAST_ETCD_CA                    path
//	HOLDFAST_ETCD_CERT                  path
//	HOLDFAST_ETCD_KEY                   path
//	HOLDFAST_ETCD_SERVER_NAME
//	HOLDFAST_ETCD_USERNAME
//	HOLDFAST_ETCD_PASSWORD
//	HOLDFAST_ETCD_DIAL_TIMEOUT          duration with a unit, such as 5s
//	HOLDFAST_ETCD_KEEP_ALIVE_TIME       duration
//	HOLDFAST_ETCD_KEEP_ALIVE_TIMEOUT    duration
//	HOLDFAST_ETCD_PROXY                 "environment" or a URL
//	HOLDFAST_SQL_DIALECT                postgres, mysql or sqlite
//	HOLDFAST_SQL_DSN
//	HOLDFAST_SQL_USERNAME
//	HOLDFAST_SQL_PASSWORD
//	HOLDFAST_SQL_MAX_OPEN_CONNS         number
//	HOLDFAST_SQL_MAX_IDLE_CONNS         number
//	HOLDFAST_SQL_CONN_MAX_LIFETIME      duration
//	HOLDFAST_SQL_CONN_MAX_IDLE_TIME     duration
//	HOLDFAST_SQL_DIAL_TIMEOUT           duration
//	HOLDFAST_SQL_SCHEMA
//	HOLDFAST_SQL_INIT_SQL               a statement
//	HOLDFAST_SQL_ISOLATION              such as "read committed"
//	HOLDFAST_SQL_READ_ONLY              true or false
//	HOLDFAST_SQL_NAMING                 gorm, spring or jpa
//	HOLDFAST_MONGO_URI
//	HOLDFAST_MONGO_DATABASE
//	HOLDFAST_MONGO_USERNAME
//	HOLDFAST_MONGO_PASSWORD
//	HOLDFAST_MONGO_DIAL_TIMEOUT         duration
//
// Two more steer how a Spring configuration is read: HOLDFAST_DATASOURCE and
// HOLDFAST_SKIP, as the fields of [LoadOptions].
//
// # Starting and stopping
//
// Start in this order: the pools of the databases, the etcd client, the Locker
// on the client, the repositories on both. Stop in this one: first whatever
// accepts work, then the Locker (Close waits for the locks that are held and
// gives them back), then the etcd client, and the pools last. A pool closed
// before the Locker makes the last writes fail under a lock that they hold; a
// client closed before the Locker leaves its locks to run out by themselves,
// which blocks the other processes for that long.
//
// # Permissions in etcd
//
// With authentication switched on, the user of [EtcdConfig] needs a role that
// reads and writes the prefix holdfast/ (the default namespace of etcdlock):
//
//	etcdctl role add locks
//	etcdctl role grant-permission locks --prefix=true readwrite holdfast/
//	etcdctl user add orders
//	etcdctl user grant-role orders locks
//
// Another namespace needs its own prefix and holdfast/.session/, where
// the session keeps its key. With RawNames the role needs that and the prefix
// of every lock name, such as com.acme.Order/; a name is its own prefix there.
// Leases need no permission. Listing the members and [Check] need none either.
//
// # Connections to etcd
//
// [OpenEtcd] tries every endpoint, up to the first answer of its HTTP/2 server,
// so that a failure has its true cause: an [EndpointError] with, for instance, an
// x509.UnknownAuthorityError in it. [ErrAuthentication] tells a login or a
// certificate that is refused from a server that is not there. It uses no HTTP
// proxy unless told to. A connection that is dead but not closed is noticed after
// KeepAliveTime plus KeepAliveTimeout, six seconds by default, which is less than
// the ten seconds that a lock lives without being renewed.
//
// # Secrets
//
// No error and no log of this package holds a password or the content of a key.
// Errors of [Load] hold names, files and lines; of values only where a datasource
// is, and what an import names, without what could be a secret in them. The
// configurations mask their passwords in every way of printing them.
//
// # What it does not promise
//
// Certificates are read once, when the connection is opened: a renewed one needs
// a new client. An endpoint that answers now may be gone the next moment. The
// unacknowledged data of a dead connection is noticed in time only on Linux;
// elsewhere the operating system decides. Of Spring's sources the command line,
// the properties of the Java runtime, configuration servers, @PropertySource and
// SpEL are not read; those that can be seen from the files are mistakes.
package drivers
