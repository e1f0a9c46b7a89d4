// Package spring reads configuration as Spring Boot does: files next to each
// other, profiles, several documents in one file, imports, the environment,
// placeholders. Which source wins over which follows the reference
// documentation, https://docs.spring.io/spring-boot/reference/features/external-config.html.
//
// What cannot be read here, such as a configuration server, is a mistake: a
// value from it could be the one that counts.
package spring
