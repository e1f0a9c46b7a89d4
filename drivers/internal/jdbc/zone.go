package jdbc

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// short gives the zone that Java knows by three letters (java.time.ZoneId.SHORT_IDS).
func short(name string) (string, bool) {
	v, ok := map[string]string{
		"ACT": "Australia/Darwin", "AET": "Australia/Sydney", "AGT": "America/Argentina/Buenos_Aires", "ART": "Africa/Cairo",
		"AST": "America/Anchorage", "BET": "America/Sao_Paulo", "BST": "Asia/Dhaka", "CAT": "Africa/Harare",
		"CNT": "America/St_Johns", "CST": "America/Chicago", "CTT": "Asia/Shanghai", "EAT": "Africa/Addis_Ababa",
		"ECT": "Europe/Paris", //nolint:misspell // the name in Java
		"IET": "America/Indiana/Indianapolis", "IST": "Asia/Kolkata", "JST": "Asia/Tokyo",
		"MIT": "Pacific/Apia", "NET": "Asia/Yerevan", "NST": "Pacific/Auckland", "PLT": "Asia/Karachi",
		"PNT": "America/Phoenix", "PRT": "America/Puerto_Rico", "PST": "America/Los_Angeles", "SST": "Pacific/Guadalcanal",
		"VST": "Asia/Ho_Chi_Minh", "EST": "-05:00", "MST": "-07:00", "HST": "-10:00",
	}[name]
	return v, ok
}

// A sign that was not percent-encoded has become a blank.
var offset = regexp.MustCompile(`^(?:UTC|GMT|UT)?([+\- ])([0-9]{1,2})(?::?([0-9]{2}))?(?::?([0-9]{2}))?$`)

var (
	errZone   = errors.New("is not a time zone that Java knows, such as Asia/Shanghai, GMT%2B8 or %2B08:00")
	errNoZone = errors.New(`names a time zone that is not in this system's database; install tzdata, or import _ "time/tzdata"`)
)

// Zone understands what Java understands as a zone: a region, an offset, an offset
// after GMT, UTC or UT, or one of Java's three-letter names.
func Zone(text string) (*time.Location, error) {
	text = strings.TrimRight(text, " ")
	if region, ok := short(text); ok {
		text = region
	}
	switch strings.ToUpper(text) {
	case "Z", "UTC", "GMT", "UT", "GMT0", "ETC/UTC", "ETC/GMT":
		return time.UTC, nil
	}
	if m := offset.FindStringSubmatch(text); m != nil {
		part := func(s string) int {
			n, _ := strconv.Atoi(s) // of two digits at most
			return n
		}
		hours, minutes, seconds := part(m[2]), part(m[3]), part(m[4])
		// Java ends at 18 hours.
		if total := hours*3600 + minutes*60 + seconds; minutes < 60 && seconds < 60 && total <= 18*3600 {
			if m[1] == "-" {
				total = -total
			}
			return time.FixedZone(OffsetName(total), total), nil
		}
		return nil, errZone
	}
	if !region.MatchString(text) {
		return nil, errZone
	}
	loc, err := time.LoadLocation(text)
	if err != nil {
		return nil, errNoZone
	}
	return loc, nil
}

// region keeps what is no name of a zone from being taken for a path, and Local
// from being the zone of the machine.
var region = regexp.MustCompile(`^[A-Z][A-Za-z]+[A-Za-z0-9]*(/[A-Za-z0-9_+-]+){1,2}$|^(EET|CET|MET|WET|PRC|ROK|NZ|GB|Cuba|Egypt|Eire|Iran|Israel|Jamaica|Japan|Libya|Navajo|Poland|Portugal|Singapore|Turkey|Zulu|Universal|Hongkong|Iceland|Kwajalein|EST5EDT|CST6CDT|MST7MDT|PST8PDT)$`)

// OffsetName gives an offset in the form that MySQL knows.
func OffsetName(seconds int) string {
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	return fmt.Sprintf("%c%02d:%02d", sign, seconds/3600, seconds/60%60)
}

// SessionZone gives the value of time_zone for a zone: its name, or its offset
// where it has no name.
func SessionZone(loc *time.Location) string {
	name := loc.String()
	switch {
	case loc == time.UTC || name == "UTC":
		return "+00:00"
	case loc != time.Local && strings.Contains(name, ":"):
		return name
	case loc != time.Local:
		return name
	}
	if tz := strings.TrimPrefix(os.Getenv("TZ"), ":"); region.MatchString(tz) {
		return tz
	}
	_, seconds := time.Now().Zone()
	return OffsetName(seconds)
}

// ServerZone understands the zone that a MySQL server says it has. A short name
// there is the operating system's and can mean several zones; Connector/J refuses
// it too.
func ServerZone(session, system string) (*time.Location, error) {
	if strings.EqualFold(session, "SYSTEM") {
		session = system
	}
	if _, ambiguous := short(session); !ambiguous {
		if loc, err := Zone(session); err == nil {
			return loc, nil
		}
	}
	return nil, errors.New("the server's time zone has no clear meaning: name one by connectionTimeZone")
}
