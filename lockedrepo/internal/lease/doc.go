// Package lease takes locks that end by themselves, and keeps them alive: what the packages
// alsoredis and alsoshedlock have in common. It knows neither Redis nor SQL.
package lease
