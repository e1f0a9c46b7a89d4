package drivers

import "testing"

func TestShapes_FilesAndProfiles(t *testing.T) {
	t.Parallel()
	runShapes(t, []shape{
		{name: "OneFile", doc: bootFiles, files: map[string]string{"application.yml": jdbcURL("a")}, dsn: pg("a")},
		{name: "Properties", doc: bootFiles, files: map[string]string{
			"application.properties": "# shop\nspring.datasource.url = jdbc:postgresql://h/a\nspring.datasource.username : u\nspring.datasource.password=p\\u0041\\\n  ss\n",
		}, dsn: pg("a"), check: func(c Config) bool { return c.SQL.Username == "u" && c.SQL.Password == "pAss" }},
		{
			name: "PropertiesWinOverYAML", doc: bootOrder,
			files: map[string]string{"application.yml": jdbcURL("a"), "application.properties": "spring.datasource.url=" + pg("b")}, dsn: pg("b"),
		},
		{name: "YmlWinsOverYaml", doc: bootOrder, files: map[string]string{"application.yaml": jdbcURL("a"), "application.yml": jdbcURL("b")}, dsn: pg("b")},
		{name: "XMLIsNamed", doc: bootOrder, files: map[string]string{"application.yml": jdbcURL("a"), "application.xml": "<x/>"}, bad: []string{"application.xml: is not read here"}},
		{name: "ConfigFolder", doc: bootFiles, files: map[string]string{"application.yml": jdbcURL("a"), "config/application.yml": jdbcURL("b")}, dsn: pg("b")},
		{
			name: "LoadedFromTheConfigFolder", doc: bootFiles, path: "config/application.yml",
			files: map[string]string{
				"application.yml": "spring.profiles.active: prod\n" + jdbcURL("a"), "config/application.yml": "spring.datasource.username: u\n",
				"application-prod.yml": jdbcURL("b"),
			}, dsn: pg("b"), check: func(c Config) bool { return c.SQL.Username == "u" },
		},
		{
			name: "ConfigSubfolders", doc: bootFiles,
			files: map[string]string{"application.yml": jdbcURL("a"), "config/application.yml": jdbcURL("b"), "config/db/application.properties": "spring.datasource.url=" + pg("c")}, dsn: pg("c"),
		},
		{
			name: "ProfileFile", doc: bootProfiles, env: []string{"SPRING_PROFILES_ACTIVE=prod"},
			files: map[string]string{"application.yml": jdbcURL("a"), "application-prod.yml": jdbcURL("b"), "application-dev.yml": jdbcURL("c")}, dsn: pg("b"),
		},
		{
			name: "ProfileOfTheFile", doc: bootProfiles,
			files: map[string]string{"application.yml": "spring.profiles.active: dev\n", "application-dev.yaml": jdbcURL("b")}, dsn: pg("b"),
		},
		{
			name: "ProfileFileInConfigFolder", doc: bootProfiles, env: []string{"SPRING_PROFILES_ACTIVE=prod"},
			files: map[string]string{"application.yml": jdbcURL("a"), "application-prod.yml": jdbcURL("b"), "config/application-prod.yml": jdbcURL("c")}, dsn: pg("c"),
		},
		{
			name: "ProfileFileWinsOverConfigFolder", doc: bootProfiles, env: []string{"SPRING_PROFILES_ACTIVE=prod"},
			files: map[string]string{"application.yml": jdbcURL("a"), "application-prod.yml": jdbcURL("b"), "config/application.yml": jdbcURL("c")}, dsn: pg("b"),
		},
		{
			name: "LastProfileWins", doc: bootProfiles, env: []string{"SPRING_PROFILES_ACTIVE=prod,live"},
			files: map[string]string{"application.yml": jdbcURL("a"), "application-prod.yml": jdbcURL("b"), "application-live.yml": jdbcURL("c")}, dsn: pg("c"),
		},
		{
			name: "LastProfileWinsInAGroupOfFolders", doc: bootProfiles, env: []string{"SPRING_PROFILES_ACTIVE=prod,live"},
			files: map[string]string{"application.yml": jdbcURL("a"), "config/application-prod.yml": jdbcURL("b"), "application-live.yml": jdbcURL("c")}, dsn: pg("c"),
		},
		{name: "DefaultProfile", doc: bootProfiles, files: map[string]string{"application.yml": jdbcURL("a"), "application-default.yml": jdbcURL("b")}, dsn: pg("b")},
		{
			name: "NamedDefaultProfile", doc: "Spring Boot reference, Profiles",
			files: map[string]string{"application.yml": "spring.profiles.default: none\n" + jdbcURL("a"), "application-none.yml": jdbcURL("b"), "application-default.yml": jdbcURL("c")}, dsn: pg("b"),
		},
		{
			name: "IncludeLeavesNoDefault", doc: bootAdding,
			files: map[string]string{"application.yml": "spring.profiles.include: common\n" + jdbcURL("a"), "application-common.yml": "x: y\n", "application-default.yml": jdbcURL("c")}, dsn: pg("a"),
		},
		{
			name: "IncludeAddsAndWins", doc: bootAdding, env: []string{"SPRING_PROFILES_ACTIVE=prod"},
			files: map[string]string{"application.yml": "spring.profiles.include: [common, local]\n", "application-prod.yml": jdbcURL("a"), "application-local.yml": jdbcURL("b"), "application-common.yml": jdbcURL("c")}, dsn: pg("b"),
		},
		{
			name: "IncludeOfTheEnvironment", doc: bootAdding, env: []string{"SPRING_PROFILES_ACTIVE=prod", "SPRING_PROFILES_INCLUDE=common"},
			files: map[string]string{"application.yml": "x: y\n", "application-prod.yml": jdbcURL("a"), "application-common.yml": jdbcURL("b")}, dsn: pg("b"),
		},
		{
			name: "Group", doc: bootGroups, env: []string{"SPRING_PROFILES_ACTIVE=production"},
			files: map[string]string{"application.yml": "spring.profiles.group.production: [proddb, prodmq]\n", "application-proddb.yml": jdbcURL("a"), "application-production.yml": jdbcURL("b")}, dsn: pg("a"),
		},
		{
			name: "EnvironmentReplacesTheProfile", doc: bootAdding, env: []string{"SPRING_PROFILES_ACTIVE=prod"},
			files: map[string]string{"application.yml": "spring.profiles.active: dev\n", "application-prod.yml": jdbcURL("a"), "application-dev.yml": jdbcURL("b")}, dsn: pg("a"),
		},
		{
			name: "OptionReplacesTheProfile", doc: bootAdding, env: []string{"SPRING_PROFILES_ACTIVE=prod"}, opts: &LoadOptions{Profiles: []string{"dev"}},
			files: map[string]string{"application.yml": jdbcURL("x"), "application-prod.yml": jdbcURL("a"), "application-dev.yml": jdbcURL("b")}, dsn: pg("b"),
		},
		{
			name: "ProfileMayNotChooseProfiles", doc: "Spring Boot reference, Profiles", env: []string{"SPRING_PROFILES_ACTIVE=prod"},
			files: map[string]string{"application.yml": jdbcURL("a"), "application-prod.yml": "spring.profiles.active: dev\n" + jdbcURL("b")},
			bad:   []string{"application-prod.yml: line 1: spring.profiles.active: stands in a document or file of a profile"},
		},
		{
			name: "DocumentsInOrder", doc: bootMulti,
			files: map[string]string{"application.yml": jdbcURL("a") + "---\n" + jdbcURL("b") + "---\nspring.config.activate.on-profile: dev\n" + jdbcURL("c")}, dsn: pg("b"),
		},
		{
			name: "ProfileFileWinsOverDocuments", doc: bootMulti, env: []string{"SPRING_PROFILES_ACTIVE=prod"},
			files: map[string]string{"application.yml": jdbcURL("a") + "---\nspring.config.activate.on-profile: prod\n" + jdbcURL("b"), "application-prod.yml": jdbcURL("c")}, dsn: pg("c"),
		},
		{
			name: "PropertiesDocuments", doc: bootMulti, env: []string{"SPRING_PROFILES_ACTIVE=prod"},
			files: map[string]string{"application.properties": "spring.datasource.url=" + pg("a") + "\n#---\nspring.config.activate.on-profile=prod | live\nspring.datasource.url=" + pg("b") + "\n!---\nspring.config.activate.on-profile=dev\nspring.datasource.url=" + pg("c")}, dsn: pg("b"),
		},
		{
			name: "PropertiesCommentIsNoDocument", doc: bootMulti,
			files: map[string]string{"application.properties": "spring.datasource.url=" + pg("a") + "\n# x\n#---\n# y\nspring.config.activate.on-profile=dev\n"}, dsn: "none",
		},
		{
			name: "CloudPlatform", doc: bootActivate, env: []string{"KUBERNETES_SERVICE_HOST=10.0.0.1", "KUBERNETES_SERVICE_PORT=443"},
			files: map[string]string{"application.yml": jdbcURL("a") + "---\nspring.config.activate.on-cloud-platform: kubernetes\n" + jdbcURL("b") + "---\nspring.config.activate.on-cloud-platform: heroku\n" + jdbcURL("c")}, dsn: pg("b"),
		},
		{
			name: "ConfigLocation", doc: bootFiles, path: "etc/shop.yml", env: []string{"SPRING_CONFIG_LOCATION=file:{}/etc/shop.yml", "SPRING_PROFILES_ACTIVE=prod"},
			files: map[string]string{"etc/shop.yml": jdbcURL("a"), "etc/shop-prod.yml": jdbcURL("b")}, dsn: pg("b"),
		},
		{
			name: "ConfigLocationElsewhere", doc: bootFiles, env: []string{"SPRING_CONFIG_LOCATION=file:{}/etc/"},
			files: map[string]string{"etc/application.yml": jdbcURL("a"), "application.yml": jdbcURL("b")}, bad: []string{"SPRING_CONFIG_LOCATION: names other files than the one to load"},
		},
		{
			name: "AdditionalLocation", doc: bootFiles, env: []string{"SPRING_CONFIG_ADDITIONAL_LOCATION=optional:file:{}/etc/"},
			files: map[string]string{"etc/application.yml": jdbcURL("a"), "application.yml": jdbcURL("b")}, dsn: pg("a"),
		},
		{
			name: "ConfigName", doc: bootFiles, path: "shop.yml", env: []string{"SPRING_CONFIG_NAME=shop", "SPRING_PROFILES_ACTIVE=prod"},
			files: map[string]string{"shop.yml": jdbcURL("a"), "config/shop-prod.properties": "spring.datasource.url=" + pg("b")}, dsn: pg("b"),
		},
	})
}

func TestShapes_Imports(t *testing.T) {
	t.Parallel()
	runShapes(t, []shape{
		{name: "Import", doc: bootImport, files: map[string]string{"application.yml": "spring.config.import: db.yml\n" + jdbcURL("a"), "db.yml": jdbcURL("b")}, dsn: pg("b")},
		{name: "ImportIsBelowLaterDocuments", doc: bootImport, files: map[string]string{"application.yml": "spring.config.import: db.yml\n---\n" + jdbcURL("a"), "db.yml": jdbcURL("b")}, dsn: pg("a")},
		{name: "LastImportWins", doc: bootImport, files: map[string]string{"application.yml": "spring.config.import: [b.yml, 'optional:c.properties', 'optional:none.yml']\n", "b.yml": jdbcURL("b"), "c.properties": "spring.datasource.url=" + pg("c")}, dsn: pg("c")},
		{
			name: "ImportHasProfiles", doc: bootImport, env: []string{"SPRING_PROFILES_ACTIVE=prod"},
			files: map[string]string{"application.yml": "spring.config.import: db.yml\n", "db.yml": jdbcURL("b"), "db-prod.yml": jdbcURL("c")}, dsn: pg("c"),
		},
		{
			name: "ImportedProfileWins", doc: "spring-boot#25766: files of a profile win over those of none, imports over importers", env: []string{"SPRING_PROFILES_ACTIVE=prod"},
			files: map[string]string{"application.yml": "spring.config.import: db.yml\n", "db.yml": jdbcURL("a"), "application-prod.yml": jdbcURL("b")}, dsn: pg("b"),
		},
		{
			name: "ProfileOfAnImportWinsOverThatOfItsImporter", doc: "spring-boot#25766: files of a profile win over those of none, imports over importers", env: []string{"SPRING_PROFILES_ACTIVE=prod"},
			files: map[string]string{"application.yml": "spring.config.import: db.yml\n", "db.yml": jdbcURL("a"), "application-prod.yml": jdbcURL("b"), "db-prod.yml": jdbcURL("c")}, dsn: pg("c"),
		},
		{
			name: "ImportOfAProfileHasNoProfiles", doc: "ConfigDataEnvironmentContributors of Spring Boot", env: []string{"SPRING_PROFILES_ACTIVE=prod"},
			files: map[string]string{"application.yml": "x: y\n", "application-prod.yml": "spring.config.import: db.yml\n", "db.yml": jdbcURL("a"), "db-prod.yml": jdbcURL("b")}, dsn: pg("a"),
		},
		{name: "ImportOfAnImport", doc: bootImport, files: map[string]string{"application.yml": "spring.config.import: sub/b.yml\n" + jdbcURL("a"), "sub/b.yml": "spring.config.import: c.yml\n", "sub/c.yml": jdbcURL("c")}, dsn: pg("c")},
		{name: "ImportsInACircle", doc: bootImport, files: map[string]string{"application.yml": "spring.config.import: b.yml\n" + jdbcURL("a"), "b.yml": "spring.config.import: application.yml\n" + jdbcURL("b")}, dsn: pg("b")},
		{name: "ClasspathImport", doc: bootImport, files: map[string]string{"application.yml": "spring.config.import: 'classpath:/db/x.yml'\n", "db/x.yml": jdbcURL("a")}, dsn: pg("a")},
		{name: "ExtensionHint", doc: "Spring Boot reference, Importing Extensionless Files", files: map[string]string{"application.yml": "spring.config.import: 'file:{}/conf[.yaml]'\n", "conf": jdbcURL("a")}, dsn: pg("a")},
		{
			name: "ImportByPlaceholder", doc: bootPlace, env: []string{"STAGE=eu"},
			files: map[string]string{"application.yml": "spring.config.import: db-${STAGE}.yml\n", "db-eu.yml": jdbcURL("a")}, dsn: pg("a"),
		},
		{
			name: "ImportMissing", doc: bootImport, files: map[string]string{"application.yml": jdbcURL("a") + "spring.config.import: db.yml\n"},
			bad: []string{"application.yml: line 2: spring.config.import: names a file that is not there: db.yml"},
		},
		{
			name: "ConfigTree", doc: bootTree,
			files: map[string]string{"application.yml": "spring.config.import: 'configtree:{}/secrets/'\n" + jdbcURL("a"), "secrets/spring/datasource/password": "p\n", "secrets/spring.datasource.username": "u", "secrets/.hidden/x": "y"},
			dsn:   pg("a"), check: func(c Config) bool { return c.SQL.Password == "p" && c.SQL.Username == "u" },
		},
		{
			name: "ConfigServer", doc: "Spring Cloud Config reference, Config Data Import", files: map[string]string{"application.yml": jdbcURL("a") + "spring.config.import: 'optional:configserver:http://u:s3cr!t~canary@h:8888'\n"},
			bad: []string{"line 2: spring.config.import: names a source that is not read here: configserver:"},
		},
		{
			name: "SeveralForeignImports", doc: "Spring Cloud Alibaba reference, Nacos Config", files: map[string]string{"application.yml": "spring:\n  config:\n    import:\n    - optional:nacos:shop-dev.yml\n    - vault://\n"},
			bad: []string{"nacos:shop-dev.yml", "vault://"},
		},
		{
			name: "SkippedImport", doc: bootImport, opts: &LoadOptions{Skip: []string{"nacos:", "db.yml"}},
			files: map[string]string{"application.yml": jdbcURL("a") + "spring.config.import: ['optional:nacos:shop.yml', 'db.yml']\n"}, dsn: pg("a"),
		},
		{
			name: "Bootstrap", doc: "Spring Cloud Commons reference, The Bootstrap Application Context",
			files: map[string]string{"application.yml": jdbcURL("a"), "bootstrap.yml": "spring.cloud.nacos.config.server-addr: h:8848\n"},
			bad:   []string{"bootstrap.yml: line 1: spring.cloud.nacos.config.server-addr: names a source that is not read here: Nacos"},
		},
		{
			name: "BootstrapSkipped", doc: "Spring Cloud Commons reference, The Bootstrap Application Context", env: []string{"HOLDFAST_SKIP=bootstrap.yml"},
			files: map[string]string{"application.yml": jdbcURL("a"), "bootstrap.yml": "spring.cloud.nacos.config.server-addr: h:8848\n"}, dsn: pg("a"),
		},
		{
			name: "BootstrapWithoutServer", doc: "Spring Cloud Commons reference, The Bootstrap Application Context",
			files: map[string]string{"application.yml": "server.port: 1\n", "bootstrap.yml": "spring.application.name: shop\nspring.profiles.active: prod\n", "application-prod.yml": jdbcURL("a")}, dsn: pg("a"),
		},
		{
			name: "Apollo", doc: "Apollo client guide, Spring integration", files: map[string]string{"application.yml": jdbcURL("a") + "apollo.bootstrap.enabled: true\n"},
			bad: []string{"line 2: apollo.bootstrap.enabled: names a source that is not read here: Apollo"},
		},
	})
}
